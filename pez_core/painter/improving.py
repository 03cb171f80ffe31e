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
from functools import partial

import torch
from torch import Tensor

from ..errors import ConfigError
from .ranking import PictureErrors, Ranking, interval, rank, relative_errors
from .settings import ROUNDS

EDITS = 8
Callback = Callable[[Ranking, int], bool | None]


@dataclass(frozen=True)
class Edit:
    """An edit that a painter took. before, error: without it and with it, under the noises that
    confirmed it, which are the same for all edits and not those of a ranking. gain: how much lower
    the error is. low, high: its 95 % interval."""

    prompt: str
    before: float
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

    propose: gives edited prompts of a prompt. rounds: as for `rank`, of every race. callback:
    called with the ranking after every round of a race, and with how many edits are taken so far;
    if it returns False, it ends. seconds: no round begins after so many. What the time or the
    callback ends takes no edit.
    Raises ConfigError for a number out of range, and what `rank` and `propose` raise.
    """
    if edits < 1:
        raise ConfigError(f"edits must be at least 1, got {edits}")
    began, known, taken = time.perf_counter(), _KnownErrors(picture), list[Edit]()
    end, reason = None if seconds is None else began + seconds, "edits"
    while len(taken) < edits:
        best = taken[-1].prompt if taken else prompt
        trials = list(dict.fromkeys([best, *propose(best)]))
        tell = callback and partial(_told, callback, taken)
        edit = _best_edit(known, trials, rounds, end, tell)
        if not isinstance(edit, Edit):
            reason = edit
            break
        taken.append(edit)
    return Improvement(prompt, tuple(taken), known.passes, time.perf_counter() - began, reason)


def _best_edit(
    picture: PictureErrors,
    trials: Sequence[str],
    rounds: int,
    end: float | None,
    tell: Callable[[Ranking], bool | None] | None,
) -> Edit | str:
    """The best of some edits of a prompt, which comes first; else why none is taken. end: when the
    time is up. tell: called with the race after every noise."""
    left = None if end is None else end - time.perf_counter()
    if len(trials) == 1:
        return "no better edit"
    if left is not None and left <= 0:
        return "seconds"
    race = rank(picture, trials, rounds, left, tell, hasty=True)
    if race.reason in ("seconds", "stopped"):
        return race.reason
    return _confirmed(picture, trials[0], race, rounds, end, tell)


def _told(callback: Callback, taken: list[Edit], found: Ranking) -> bool | None:
    return callback(found, len(taken))


def _confirmed(
    picture: PictureErrors,
    present: str,
    race: Ranking,
    rounds: int,
    end: float | None,
    tell: Callable[[Ranking], bool | None] | None,
) -> Edit | str:
    """The winner of a race as an edit, if it is surely better than the present prompt under noises
    that the race has not used: as many, but at most ROUNDS. Else why there is none. end, tell: as
    for `_best_edit`."""
    winner, errors = race.prompts[0].prompt, list[Tensor]()
    if winner == present:
        return "no better edit"
    for noise in range(rounds, rounds + min(rounds, ROUNDS)):
        errors.append(relative_errors(picture, [present, winner], noise))
        if tell is not None and tell(race) is False:
            return "stopped"
        if end is not None and time.perf_counter() >= end:
            return "seconds"
    before, after = torch.stack(errors, 1)  # (rounds, levels)
    low, high = interval(before - after)
    if not low > 0:
        return "no better edit"
    return Edit(winner, before.mean().item(), after.mean().item(), (low + high) / 2, low, high)


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
