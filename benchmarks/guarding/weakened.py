"""Prompts made worse at random, to compare with those that are worse for a reason."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from torch import Tensor

NEAR_ENOUGH = 0.003  # to the similarity that is asked for
AT_ONCE = 32  # swaps tried together
ROUNDS = 40


def weakened(
    prompt: str,
    similarity: Callable[[list[str]], Tensor],
    limit: float,
    words: Sequence[str],
    seed: int,
) -> str:
    """A prompt with some words swapped for any others, so that its similarity falls to `limit`.

    similarity: of N texts → (N,). Any swap that lowers it, and not too far, is taken. The prompt
    itself where it is no better; the last that was reached where no swap will do.
    """
    draw = random.Random(seed)
    reached = similarity([prompt]).item()
    for _ in range(ROUNDS):
        if reached <= limit + NEAR_ENOUGH:
            break
        trials = [_swapped(prompt, words, draw) for _ in range(AT_ONCE)]
        scores: list[float] = similarity(trials).tolist()
        for trial, score in zip(trials, scores, strict=True):
            if limit - NEAR_ENOUGH <= score < reached:
                prompt, reached = trial, score
                break
    return prompt


def _swapped(prompt: str, words: Sequence[str], draw: random.Random) -> str:
    parts = prompt.split()
    parts[draw.randrange(len(parts))] = draw.choice(words)
    return " ".join(parts)
