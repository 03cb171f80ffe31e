"""What each word of a prompt adds, by the error with which a painter denoises a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..errors import ConfigError
from .ranking import NO_WORDS, PictureErrors, interval, relative_errors

ROUNDS = 4  # noises: enough to tell most words from nothing


@dataclass(frozen=True)
class Contribution:
    """What a word adds: how much the error grows without it, as a share of that of no words. A
    negative number means that the painter denoises better without the word. low, high: its 95 %
    interval."""

    word: str
    adds: float
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
    prompts = [" ".join(words), *without]
    asked = list(dict.fromkeys(prompt for prompt in prompts if prompt != NO_WORDS))
    found = [relative_errors(picture, asked, number) for number in range(rounds)]
    errors = dict(zip(asked, torch.stack(found, 1), strict=True))  # (rounds, levels) of each
    errors[NO_WORDS] = torch.ones_like(errors[prompts[0]])
    whole = errors[prompts[0]]
    added = []
    for word, prompt in zip(words, without, strict=True):
        low, high = interval(errors[prompt] - whole)
        added.append(Contribution(word, (low + high) / 2, low, high))
    return whole.mean().item(), added
