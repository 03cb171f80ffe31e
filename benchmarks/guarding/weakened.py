"""Prompts weakened at random, for comparison with guarded prompts."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from torch import Tensor

NEAR_ENOUGH = 0.003  # tolerance of the requested similarity
BATCH_SIZE = 32  # swaps tried together
ROUNDS = 40


def weakened(
    prompt: str,
    similarity: Callable[[list[str]], Tensor],
    limit: float,
    words: Sequence[str],
    seed: int,
) -> str:
    """A prompt with some words replaced at random, so that its similarity falls to `limit`.

    similarity: of N texts → (N,). Any swap that lowers it, but not below `limit`, is accepted. The
    prompt itself if its similarity is not above `limit`; the last accepted one if no swap is left.
    """
    draw = random.Random(seed)
    reached = similarity([prompt]).item()
    for _ in range(ROUNDS):
        if reached <= limit + NEAR_ENOUGH:
            break
        trials = [_swapped(prompt, words, draw) for _ in range(BATCH_SIZE)]
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
