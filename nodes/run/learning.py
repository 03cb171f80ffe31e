"""The search as the nodes run it: with live messages, within the memory there is, packed for the
graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import comfy.model_management as mm
from comfy_api.latest import io

from ...pez_core.compute.precision import best_dtype
from ...pez_core.config import SearchConfig
from ...pez_core.errors import SearchError
from ...pez_core.prompt import LearnedPrompt
from ...pez_core.search.searcher import learn_prompt
from ...pez_core.targets import Targets
from ...pez_core.text.template import parse_template
from ...pez_core.text.vocabulary import clip_vocabulary, make_mask, split_bans
from ..models.encoder import Asked, TextEncoder
from ..models.memory import out_of_memory, search_memory
from .connection import PromptTokens
from .live import Live, check_cancelled
from .messages import learned_message
from .prompt_text import escape


@dataclass(frozen=True)
class Search:
    """What to search for, in a node's words. ban: separated by commas or lines. avoid: meanings."""

    template: str
    config: SearchConfig
    seed: int
    vocabulary: str
    ban: str
    avoid: tuple[str, ...] = ()


def run_search(
    node_id: str, asked: Asked, encoder: TextEncoder, targets: Targets, search: Search
) -> io.NodeOutput:
    """Learns a prompt and packs it as the outputs of a node. Raises what the search raises."""
    template = parse_template(search.template, clip_vocabulary())
    fixed = frozenset(i for i, token in enumerate(template.layout[1:-1]) if token >= 0)
    mask = make_mask(
        clip_vocabulary(),
        search.vocabulary,
        ban=split_bans(search.ban),
        words=encoder.source.words,
    )

    guard = encoder.guard(search.avoid)
    live = Live(node_id, fixed)

    def attempt(config: SearchConfig) -> LearnedPrompt:
        length, learned = len(template.layout), template.learned
        needed = sum(search_memory(arch, config, length, learned) for arch in encoder.archs)
        model = encoder.load(needed)
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
        learned, few = _within_memory(search.config, attempt)
    whole = len(learned.best.ids) == len(template.layout) - 2
    fixed = fixed if whole else frozenset()  # text of the kind "all" may come back in other tokens
    note = "; ".join(filter(None, (encoder.note, few)))
    return pack(learned, fixed, asked, targets, search.avoid, note)


def pack(
    learned: LearnedPrompt,
    fixed: frozenset[int],
    asked: Asked,
    targets: Targets,
    avoid: tuple[str, ...] = (),
    note: str = "",
) -> io.NodeOutput:
    """The outputs of a node that learns, and what the front end shows."""
    best = learned.best
    message = learned_message(learned, fixed, clip_vocabulary(), note)
    return io.NodeOutput(
        escape(best.text),
        best.similarity,
        PromptTokens(best.text, fixed, asked, targets.to("cpu"), avoid),
        [escape(candidate.text) for candidate in learned.candidates],
        ui={"pez": [message], "text": [best.text]},
    )


def _within_memory(
    asked: SearchConfig, attempt: Callable[[SearchConfig], LearnedPrompt]
) -> tuple[LearnedPrompt, str]:
    """The learned prompt, and a note if the device had too little memory for all restarts."""
    config = asked
    while True:
        check_cancelled()
        try:
            learned = attempt(config)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            reason = (str(error) or "out of memory").splitlines()[0]
        else:
            many, used = asked.restarts, config.restarts
            few = f"out of memory with {many} restarts: {used} were used" if used < many else ""
            return learned, few
        # Outside of the handler: the error keeps the tensors of the failed run alive.
        mm.soft_empty_cache()
        if config.restarts == 1:
            raise SearchError(
                f"the device has not enough memory even for one restart ({reason}): close other "
                "programs, choose a smaller model, or learn fewer tokens"
            )
        config = config.replace(restarts=config.restarts // 2)
