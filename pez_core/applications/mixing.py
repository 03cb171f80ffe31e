"""Concepts mixed into one prompt (arXiv 2302.03668 §4.2): prompts joined within a budget of tokens,
without the words that contribute least.

`concatenate` joins given texts. `learn_apart` first learns a prompt of each concept. To learn *one*
prompt for all concepts together, use `learn_prompt` with their features as targets.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from ..clip.models import ClipModel
from ..clip.text_tower import no_op
from ..config import DEFAULT
from ..errors import ConfigError
from ..guard.guard import Guard
from ..prompt import Candidate, LearnedPrompt
from ..search.searcher import Searcher, SearchOptions, prepare_search
from ..search.text_score import score_texts
from ..targets import Targets, make_targets
from ..text.edits import Word, join, split_words
from ..text.template import MOST_TOKENS, plain_template
from ..text.text_parts import text_parts
from ..text.vocabulary import TokenMask

if TYPE_CHECKING:
    from typing_extensions import Unpack

# 1/PART of the excess words is removed in one pass, before all are measured again.
PART = 4
Placed = tuple[int, Word]  # a word with its position in its prompt
COMMA = -2  # the position of a comma between prompts: adjacent to no word


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
    check_interrupt: Callable[[], None] = no_op,
) -> str:
    """The prompts joined in at most `budget` tokens, with their own words in their own order.

    Words are removed until the text fits, first those without which it is most similar to the
    targets. permits: whether a word may be kept, such as a TokenMask's. check_interrupt: called
    between passes.
    Raises ConfigError for a budget out of range, and when no word is left.
    """
    plain_template(budget)  # raises for a number out of range
    targets = targets.to(model.device)
    parts = [list(enumerate(split_words(prompt, model.vocabulary))) for prompt in prompts]
    # A word that does not fit even alone is removed.
    parts = [[p for p in part if _length([p]) <= budget and permits(p[1].text)] for part in parts]
    parts = [part for part in parts if part]
    if not parts:
        raise ConfigError(
            f"nothing to join: no prompt holds a permitted word of at most {budget} tokens"
        )
    if sum(_length(part) for part in parts) + len(parts) > MOST_TOKENS:
        # CLIP cannot read them together, so each is first shortened to its share.
        share = max(budget, (MOST_TOKENS - len(parts)) // len(parts))
        parts = [_shorten(model, part, targets, share, check_interrupt) for part in parts]
    text = _text(_shorten(model, _join(parts, model), targets, budget, check_interrupt))
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
    """The prompts of the single targets, learned separately and concatenated in at most `tokens`
    tokens.

    prompts: for each target its own words, or None to learn them. A learned prompt gets a share of
    the tokens by weight and an equal share of the seconds. Targets of negative weight get no words,
    but they affect which words are left out. options: those of `learn_prompt`.
    Raises ConfigError for tokens out of range and when no target has a positive weight, and
    whatever `learn_prompt` raises.
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
    searcher: Searcher | None = None
    started = time.perf_counter()
    for place in near:
        own = prompts[place]
        if own is None:
            goal = make_targets(targets.features[place : place + 1], labels=[targets.labels[place]])
            share = plain_template(max(1, round(tokens * weights[place] / total)))
            searcher = searcher or prepare_search(model, **each)
            runs.append(searcher.with_template(share).learn(goal))
            own = runs[-1].best.text
        words += text_parts(own, model.vocabulary)[:1]  # the part of a long text that CLIP reads
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
    check_interrupt: Callable[[], None] = no_op,
) -> Candidate:
    """The result of `concatenate` with its similarity and nearness, without words that a mask bans
    or that name a concept of a guard literally. Raises as `concatenate` does."""

    def permits(word: str) -> bool:
        allowed = mask is None or mask.permits(word)
        return allowed and not (guard is not None and guard.says(word))

    text = concatenate(
        model, prompts, targets, budget, permits=permits, check_interrupt=check_interrupt
    )
    return measured(model, text, targets, guard)


def measured(
    model: ClipModel, text: str, targets: Targets, guard: Guard | None = None
) -> Candidate:
    """A text as a Candidate: with the similarity of its own encoding and its nearness to a guard's
    concepts."""
    (scored,) = score_texts(model, targets.to(model.device), [text])
    candidate: Candidate = scored.candidate
    # Not by the guard of `score_texts`, which reads a text as CLIP does: only its first 75 tokens.
    return replace(candidate, guard=guard.check(model, [text])[0]) if guard else candidate


def _join(parts: Sequence[Sequence[Placed]], model: ClipModel) -> list[Placed]:
    """The parts with commas between them. These commas are words too and may be removed."""
    (comma,) = split_words(",", model.vocabulary)
    words: list[Placed] = []
    for part in parts:
        words += [(COMMA, comma)] if words else []
        words += [(part[0][0], replace(part[0][1], before=" ")), *part[1:]]
    return words


def _shorten(
    model: ClipModel,
    words: list[Placed],
    targets: Targets,
    budget: int,
    check_interrupt: Callable[[], None],
) -> list[Placed]:
    while _length(words) > budget and len(words) > 1:
        # Of a text longer than CLIP's context only the first 75 tokens have a measurable effect.
        texts = [_text(words[:i] + words[i + 1 :]) for i in range(len(words))]
        scores = model.score(texts, targets, check_interrupt)
        most = sum(word.text != "," for _, word in words) - 1  # one stays
        count = max(1, min((_length(words) - budget) // PART, most))
        gone = set(scores.argsort(descending=True, stable=True)[:count].tolist())
        words = _tidy([word for i, word in enumerate(words) if i not in gone])
    return words


def _tidy(words: Sequence[Placed]) -> list[Placed]:
    """The words without superfluous commas: those at an end or after another comma."""
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
