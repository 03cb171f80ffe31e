"""The search as the nodes run it: with live messages, in the memory available, its result packed
for the graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import comfy.model_management as mm
from comfy_api.latest import io

from ...pez_core.applications.word_edits import Proposer, fixed_words, proposer
from ...pez_core.clip.models import ClipModel
from ...pez_core.compute.precision import best_dtype
from ...pez_core.config import SearchConfig
from ...pez_core.errors import SearchError
from ...pez_core.prompt import LearnedPrompt
from ...pez_core.search.searcher import learn_prompt
from ...pez_core.targets import Targets
from ...pez_core.text.bans import split_bans
from ...pez_core.text.template import parse_template
from ...pez_core.text.vocabulary import clip_vocabulary, make_mask
from ..interrupt import check_cancelled
from ..models.encoder import TextEncoder
from ..models.memory import out_of_memory, search_memory
from ..notes import joined_notes
from .choosing import Chooser, chosen_by_graph, is_edited, places
from .connection import PromptTokens
from .live import LiveSearch
from .messages import learned_message
from .prompt_text import escape


@dataclass(frozen=True)
class Search:
    """What a node searches for. ban: separated by commas or lines. avoid: meanings."""

    template: str
    config: SearchConfig
    seed: int
    vocabulary: str
    ban: str
    avoid: tuple[str, ...] = ()


def run_search(
    node_id: str,
    encoder: TextEncoder,
    targets: Targets,
    search: Search,
    note: str = "",
    chooser: Chooser | None = None,
) -> io.NodeOutput:
    """Learns a prompt and returns it as the outputs of a node. note: more to say of it. Raises what
    the search raises."""
    template = parse_template(search.template, clip_vocabulary())
    fixed = frozenset(i for i, token in enumerate(template.layout[1:-1]) if token >= 0)
    mask = make_mask(
        clip_vocabulary(),
        search.vocabulary,
        ban=split_bans(search.ban),
        words=encoder.source.words,
    )

    guard = encoder.guard(search.avoid)
    live = LiveSearch(node_id, fixed)

    def load(config: SearchConfig) -> ClipModel:
        length, learned = len(template.layout), template.learned
        return encoder.load(
            sum(search_memory(arch, config, length, learned) for arch in encoder.archs)
        )

    def proposed() -> Proposer:
        """Loaded for each use, as the painter may take its memory in the meantime."""
        model = load(search.config.replace(restarts=1))
        return proposer(model, targets, search.template, mask, guard, check_cancelled)

    def attempt(config: SearchConfig) -> LearnedPrompt:
        model = load(config)
        return learn_prompt(
            model,
            targets,
            search.template,
            config=config,
            mask=mask,
            guard=guard,
            seed=search.seed,
            callback=live,
            dtype=best_dtype(model.device),
        )

    with live:
        seen = None if chooser is None else chooser.seen(search.seed)  # fails before the search
        learned, few = _within_memory(search.config, attempt)
        if chooser is not None and seen is not None:
            learned, why = chosen_by_graph(learned, seen, chooser.edits, proposed, live)
            note = joined_notes(note, why)
    whole = len(learned.best.ids) == len(template.layout) - 2
    fixed = fixed if whole else frozenset()  # with the vocabulary "all" the tokens may change
    if is_edited(learned):
        fixed = places(learned.best.text, fixed_words(template, clip_vocabulary()))
    return pack(
        learned,
        encoder,
        targets,
        search.avoid,
        fixed=fixed,
        note=joined_notes(few, note),
    )


def pack(
    learned: LearnedPrompt,
    encoder: TextEncoder,
    targets: Targets,
    avoid: tuple[str, ...],
    *,
    fixed: frozenset[int] = frozenset(),
    note: str = "",
    passed_on: str = "",
) -> io.NodeOutput:
    """The outputs of a node that learns, and what the front end shows. passed_on: see
    `PromptTokens`."""
    best = learned.best
    notes = joined_notes(encoder.note, note)
    message = learned_message(learned, fixed, clip_vocabulary(), notes, passed_on)
    return io.NodeOutput(
        escape(best.text) + passed_on,
        best.similarity,
        PromptTokens(best.text, fixed, encoder, targets.to("cpu"), avoid, passed_on),
        [escape(candidate.text) + passed_on for candidate in learned.candidates],
        ui={"pez": [message], "text": [best.text]},
    )


def _within_memory(
    config: SearchConfig, attempt: Callable[[SearchConfig], LearnedPrompt]
) -> tuple[LearnedPrompt, str]:
    """The learned prompt, and a note if the device has too little memory for all restarts."""
    many = config.restarts
    while True:
        check_cancelled()
        try:
            learned = attempt(config)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            reason = (str(error) or "out of memory").splitlines()[0]
        else:
            used = config.restarts
            few = f"out of memory with {many} restarts: {used} were used" if used < many else ""
            return learned, few
        # Outside the handler, because the error keeps the tensors of the failed run alive.
        mm.soft_empty_cache()
        if config.restarts == 1:
            raise SearchError(
                f"the device does not have enough memory even for one restart ({reason}): close "
                "other programs, choose a smaller model, or learn fewer tokens"
            )
        config = config.replace(restarts=config.restarts // 2)
