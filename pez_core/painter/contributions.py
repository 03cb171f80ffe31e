"""What each word of a prompt adds, and what could replace it, by the errors with which a painter
denoises a picture: the prompt is read again without the word, or with another in its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from ..clip.text_tower import no_op
from ..errors import ConfigError
from .ranking import NO_WORDS, PictureErrors, interval, relative_errors

ROUNDS = 4  # noises: enough to tell most words from nothing


@dataclass(frozen=True)
class Contribution:
    """What a word adds: how much lower the error is with it, as a share of that of no words. A
    negative number means that the painter denoises better without the word. low, high: its 95 %
    interval."""

    word: str
    adds: float
    low: float
    high: float


@dataclass(frozen=True)
class Changed:
    """A changed prompt. error: as a share of that without words. more: how much more that is than
    before the change. low, high: the 95 % interval of `more`."""

    prompt: str
    error: float
    more: float
    low: float
    high: float


def painter_contributions(
    picture: PictureErrors, words: Sequence[str], rounds: int = ROUNDS
) -> tuple[float, list[Contribution]]:
    """The error of a prompt as a share of that without words, and what each of its words adds.

    words: the prompt's, which are joined by spaces. rounds: noises.
    Raises ConfigError without a word, and PictureError as `rank` does.
    """
    if not words:
        raise ConfigError("nothing to explain: give a text with some words")
    without = [" ".join([*words[:i], *words[i + 1 :]]) for i in range(len(words))]
    error, changed = changes(picture, " ".join(words), without, rounds)
    return error, [
        Contribution(word, one.more, one.low, one.high)
        for word, one in zip(words, changed, strict=True)
    ]


def changes(
    picture: PictureErrors,
    prompt: str,
    changed: Sequence[str],
    rounds: int = ROUNDS,
    check_interrupt: Callable[[], None] = no_op,
) -> tuple[float, list[Changed]]:
    """The error of a prompt as a share of that without words, and those of changed prompts.

    rounds: noises, the same for all. check_interrupt: called before each. Raises ConfigError for
    less than one round, and PictureError as `rank` does.
    """
    if rounds < 1:
        raise ConfigError(f"rounds must be at least 1, got {rounds}")
    prompts = dict.fromkeys([prompt, *changed])
    asked = [text for text in prompts if text != NO_WORDS]
    found = []
    for number in range(rounds):
        check_interrupt()
        found.append(relative_errors(picture, asked, number))
    errors = dict(zip(asked, torch.stack(found, 1), strict=True))  # (rounds, levels) of each
    errors[NO_WORDS] = torch.ones(found[0].shape[1:]).expand(rounds, -1)
    whole = errors[prompt]
    measured = []
    for text in changed:
        low, high = interval(errors[text] - whole)
        error = errors[text].mean().item()
        measured.append(Changed(text, error, (low + high) / 2, low, high))
    return whole.mean().item(), measured
