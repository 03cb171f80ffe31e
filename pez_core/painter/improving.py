"""Improves a prompt by edits of one word, of which a painter takes the best.

Proposed edits race with the prompt (`ranking`), all under the same noises. The winner is compared
with the prompt once more, under noises that the race has not used, as of many edits one seems
better by chance. If it is surely better, it takes the prompt's place and is edited in turn, until
none is.
What is known of a prompt is never measured again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import ConfigError
from .ranking import Callback, PictureErrors, interval, rank, relative_errors
from .settings import ROUNDS

EDITS = 8


@dataclass(frozen=True)
class Edit:
    """An edit that a painter took. error, gain: under the noises that confirmed it; the gain is how
    much lower the error is than before the edit. low, high: the 95 % interval of the gain."""

    prompt: str
    error: float
    gain: float
    low: float
    high: float


@dataclass(frozen=True)
class Improvement:
    """A prompt and its edits, in their order. passes: of the denoiser. reason: why it ended: "no
    better edit", "edits", "seconds" or "stopped"."""

    start: str
    edits: tuple[Edit, ...]
    passes: int
    seconds: float
    reason: str

    @property
    def prompt(self) -> str:
        """The prompt after all edits."""
        return self.edits[-1].prompt if self.edits else self.start


def improve(
    picture: PictureErrors,
    prompt: str,
    propose: Callable[[str], Sequence[str]],
    edits: int = EDITS,
    rounds: int = ROUNDS,
    seconds: float | None = None,
    callback: Callback | None = None,
) -> Improvement:
    """Improves a prompt by at most so many edits. At any time the prompt so far is valid.

    propose: gives edited prompts of a prompt. rounds, callback: as for `rank`, of every race.
    seconds: no round of a race begins after so many. A race that time or the callback ends takes no
    edit.
    Raises ConfigError for a number out of range, and what `rank` and `propose` raise.
    """
    if edits < 1:
        raise ConfigError(f"edits must be at least 1, got {edits}")
    began, known, taken = time.perf_counter(), _KnownErrors(picture), list[Edit]()
    best, reason = prompt, "edits"
    while len(taken) < edits:
        trials = list(dict.fromkeys([best, *propose(best)]))
        left = None if seconds is None else began + seconds - time.perf_counter()
        if len(trials) == 1:
            reason = "no better edit"
        elif left is not None and left <= 0:
            reason = "seconds"
        else:
            found = rank(known, trials, rounds, left, callback)
            if found.reason in ("seconds", "stopped"):
                reason = found.reason
                break
            edit = _confirmed(known, best, found.prompts[0].prompt, rounds)
            if edit is not None:
                taken.append(edit)
                best = edit.prompt
                continue
            reason = "no better edit"
        break
    return Improvement(prompt, tuple(taken), known.passes, time.perf_counter() - began, reason)


def _confirmed(picture: PictureErrors, present: str, winner: str, rounds: int) -> Edit | None:
    """The winner of a race as an edit, if it is surely better than the present prompt under as many
    noises that the race has not used."""
    if winner == present:
        return None
    fresh = range(rounds, 2 * rounds)
    errors = torch.stack([relative_errors(picture, [present, winner], n) for n in fresh], 1)
    before, after = errors  # (rounds, levels)
    low, high = interval(before - after)
    if not low > 0:
        return None
    return Edit(winner, after.mean().item(), (low + high) / 2, low, high)


class _KnownErrors:
    """The errors of a picture, each measured once. passes: of the denoiser, so far."""

    def __init__(self, picture: PictureErrors) -> None:
        self.levels, self.passes, self._picture = picture.levels, 0, picture
        self._known: dict[tuple[str, int], Tensor] = {}

    def errors(self, prompts: Sequence[str], noise: int) -> Tensor:
        new = [p for p in dict.fromkeys(prompts) if (p, noise) not in self._known]
        if new:
            self.passes += self.levels * len(new)
            measured = self._picture.errors(new, noise)
            self._known |= {(p, noise): e for p, e in zip(new, measured, strict=True)}
        return torch.stack([self._known[prompt, noise] for prompt in prompts])
