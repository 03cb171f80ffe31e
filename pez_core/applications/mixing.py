"""Concepts mixed into one prompt (arXiv 2302.03668 §4.2): prompts joined within a budget of tokens,
where what says least is left out.

`concatenate` joins texts as they are, `learn_apart` learns a prompt of each concept first. To learn
*one* prompt for all of them at once is `learn_prompt` with their features as targets.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from ..clip.models import ClipModel
from ..clip.text_tower import nothing
from ..config import DEFAULT
from ..errors import ConfigError
from ..guard.guard import Guard
from ..prompt import Candidate, LearnedPrompt
from ..search.searcher import SearchOptions, learn_prompt
from ..targets import Targets, make_targets, weighted_similarity
from ..text.edits import Word, join, split_words
from ..text.template import MOST_TOKENS, plain_template
from ..text.text_parts import text_parts
from ..text.vocabulary import TokenMask

if TYPE_CHECKING:
    from typing_extensions import Unpack

# Of the words that are too many, the part that goes in one pass before all are measured again.
PART = 4
Placed = tuple[int, Word]  # a word with its place in its prompt
COMMA = -2  # the place of a comma between prompts: next to nothing that stood there


def _anything(word: str) -> bool:
    return True


@torch.inference_mode(False)
def concatenate(
    model: ClipModel,
    prompts: Sequence[str],
    targets: Targets,
    budget: int,
    *,
    permits: Callable[[str], bool] = _anything,
    tick: Callable[[], None] = nothing,
) -> str:
    """The prompts one behind the other, in at most `budget` tokens, in their own words and order.

    Words go one by one, the one without which the text is most similar to the targets first.
    permits: which words may be kept, such as those a TokenMask permits. tick: called between
    passes.
    Raises ConfigError for a budget out of range and when there is no word.
    """
    plain_template(budget)  # raises for a number out of range
    targets = targets.to(model.device)
    parts = [list(enumerate(split_words(prompt, model.vocabulary))) for prompt in prompts]
    # A word that would not fit even alone can only go.
    parts = [[p for p in part if _length([p]) <= budget and permits(p[1].text)] for part in parts]
    parts = [part for part in parts if part]
    if not parts:
        raise ConfigError(
            f"nothing to join: no prompt holds a permitted word of at most {budget} tokens"
        )
    if sum(_length(part) for part in parts) + len(parts) > MOST_TOKENS:
        # CLIP cannot read them together: each keeps its share at first.
        share = max(budget, (MOST_TOKENS - len(parts)) // len(parts))
        parts = [_shorten(model, part, targets, share, tick) for part in parts]
    text = _text(_shorten(model, _join(parts, model), targets, budget, tick))
    if not text:
        raise ConfigError("nothing to join: the prompts hold nothing but commas")
    return text


@torch.inference_mode(False)
def learn_apart(
    model: ClipModel,
    targets: Targets,
    prompts: Sequence[str | None],
    tokens: int,
    **options: Unpack[SearchOptions],
) -> LearnedPrompt:
    """A prompt learned for each target alone, and these concatenated in at most `tokens` tokens.

    prompts: the words of a target that has its own, None for one whose words are learned, with its
    share of the tokens by weight, and an equal one of the seconds. Targets to keep away from get no
    words; they count where words are left out. options: those of `learn_prompt`.
    Raises ConfigError for tokens out of range and when no target has a positive weight, and what
    `learn_prompt` raises.
    """
    template = plain_template(tokens)
    config, guard = options.get("config", DEFAULT), options.get("guard")
    weights = targets.weights.tolist()
    near = [place for place, weight in enumerate(weights) if weight > 0]
    if not near:
        raise ConfigError("nothing to concatenate: give something of a positive weight")
    total = sum(weights[place] for place in near)
    learned = sum(prompts[place] is None for place in near)
    each = options.copy()
    if config.seconds is not None and learned:
        each["config"] = config.replace(seconds=config.seconds / learned)
    words: list[str] = []
    runs: list[LearnedPrompt] = []
    started = time.perf_counter()
    for place in near:
        own = prompts[place]
        if own is None:
            goal = make_targets(targets.features[place : place + 1], labels=[targets.labels[place]])
            share = plain_template(max(1, round(tokens * weights[place] / total)))
            runs.append(learn_prompt(model, goal, share, **each))
            own = runs[-1].best.text
        words += text_parts(own, model.vocabulary)[:1]  # what of a long text CLIP has read
    best = concatenated(model, words, targets, tokens, mask=options.get("mask"), guard=guard)
    seconds, steps = time.perf_counter() - started, sum(run.steps for run in runs)
    ends = {run.stopped for run in runs}
    return LearnedPrompt(
        candidates=(best,),
        history=((steps, seconds, best.similarity),),
        steps=steps,
        seconds=seconds,
        stopped=next((end for end in ("user", "seconds") if end in ends), "steps"),
        seed=options.get("seed", 0),
        model=model.name,
        settings={
            "template": template,
            **config.to_json(),
            **(options.get("settings") or {}),
            **(guard.settings if guard else {}),
            "parts": words,
        },
    )


def concatenated(
    model: ClipModel,
    prompts: Sequence[str],
    targets: Targets,
    budget: int,
    *,
    mask: TokenMask | None = None,
    guard: Guard | None = None,
    tick: Callable[[], None] = nothing,
) -> Candidate:
    """What `concatenate` makes of prompts, without words that a mask bans or that say what a guard
    keeps away from, with its similarity and its nearness. Raises as `concatenate` does."""

    def permits(word: str) -> bool:
        allowed = mask is None or mask.permits(word)
        return allowed and not (guard is not None and guard.says(word))

    text = concatenate(model, prompts, targets, budget, permits=permits, tick=tick)
    return measured(model, text, targets, guard)


def measured(
    model: ClipModel, text: str, targets: Targets, guard: Guard | None = None
) -> Candidate:
    """A text with the similarity of its own encoding, and what a guard says of it."""
    features, goals = model.encode_texts([text]), targets.to(model.device)
    (each,) = model.similarities(features, goals)
    score = weighted_similarity(features, goals).item()
    near = guard.check(model, [text])[0] if guard else {}
    return Candidate(text, tuple(model.vocabulary.encode(text)), score, each, near)


def _join(parts: Sequence[Sequence[Placed]], model: ClipModel) -> list[Placed]:
    """The parts with commas between them, which are words like others and may go as well."""
    (comma,) = split_words(",", model.vocabulary)
    words: list[Placed] = []
    for part in parts:
        words += [(COMMA, comma)] if words else []
        words += [(part[0][0], replace(part[0][1], before=" ")), *part[1:]]
    return words


def _shorten(
    model: ClipModel, words: list[Placed], targets: Targets, budget: int, tick: Callable[[], None]
) -> list[Placed]:
    while _length(words) > budget and len(words) > 1:
        # More than CLIP reads: only the first 75 tokens can be told apart by their effect.
        texts = [_text(words[:i] + words[i + 1 :]) for i in range(len(words))]
        scores = model.score(texts, targets, tick)
        most = sum(word.text != "," for _, word in words) - 1  # one stays
        count = max(1, min((_length(words) - budget) // PART, most))
        gone = set(scores.argsort(descending=True, stable=True)[:count].tolist())
        words = _tidy([word for i, word in enumerate(words) if i not in gone])
    return words


def _tidy(words: Sequence[Placed]) -> list[Placed]:
    """Without commas that part nothing: at an end or behind another."""
    kept: list[Placed] = []
    for word in words:
        if word[0] != COMMA or (kept and kept[-1][0] != COMMA):
            kept.append(word)
    return kept[:-1] if kept and kept[-1][0] == COMMA else kept


def _length(words: Sequence[Placed]) -> int:
    return sum(len(word.ids) for _, word in words)


def _text(words: Sequence[Placed]) -> str:
    pieces = ((place, word.before, word.text, False) for place, word in words)
    return "".join(join(pieces)).strip(" ,")
