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
    best, reason = prompt, "edits"
    while len(taken) < edits:
        trials = list(dict.fromkeys([best, *propose(best)]))
        left = None if seconds is None else began + seconds - time.perf_counter()
        if len(trials) == 1:
            reason = "no better edit"
        elif left is not None and left <= 0:
            reason = "seconds"
        else:
            tell = callback and partial(_told, callback, taken)
            found = rank(known, trials, rounds, left, tell, hasty=True)
            end = None if seconds is None else began + seconds
            edit: Edit | str = found.reason
            if edit not in ("seconds", "stopped"):
                edit = _confirmed(known, best, found, rounds, end, tell)
            if isinstance(edit, Edit):
                taken.append(edit)
                best = edit.prompt
                continue
            reason = edit
        break
    return Improvement(prompt, tuple(taken), known.passes, time.perf_counter() - began, reason)


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
    that the race has not used: as many, but at most ROUNDS. Else why there is none.

    end: when the time is up. tell: called with the race after every noise.
    """
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
