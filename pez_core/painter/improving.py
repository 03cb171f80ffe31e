"""Improves a prompt by edits of one word, of which a painter takes the best.

Proposed edits race with the prompt (`ranking`), all under the same noises. One that is surely
better than the prompt takes its place, and is edited in turn, until none is. The same noises serve
every race, so what is known of a prompt is never measured again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import ConfigError
from .ranking import Callback, PictureErrors, Ranking, rank
from .settings import ROUNDS

EDITS = 8


@dataclass(frozen=True)
class Edit:
    """An edit that a painter took. gain: how much lower the error is than before it, as a share of
    that without words. low, high: its 95 % interval."""

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
    on_edit: Callable[[Edit], None] | None = None,
) -> Improvement:
    """Improves a prompt by at most so many edits. At any time the prompt so far is valid.

    propose: gives edited prompts of a prompt. rounds, callback: as for `rank`, of every race.
    seconds: no round begins after so many. on_edit: called with every edit that is taken.
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
            edit = _better(found, best)
            if edit is not None:
                taken.append(edit)
                if on_edit is not None:
                    on_edit(edit)
                best = edit.prompt
            if found.reason in ("seconds", "stopped"):
                reason = found.reason
            elif edit is None:
                reason = "no better edit"
            else:
                continue
        break
    return Improvement(prompt, tuple(taken), known.passes, time.perf_counter() - began, reason)


def _better(found: Ranking, present: str) -> Edit | None:
    """The best prompt of a race, if the present one is surely behind it."""
    first = found.prompts[0]
    (before,) = (ranked for ranked in found.prompts if ranked.prompt == present)
    if not before.low > first.error:
        return None
    gain, low, high = (end - first.error for end in (before.error, before.low, before.high))
    return Edit(first.prompt, first.error, gain, low, high)


class _KnownErrors:
    """The errors of a picture, each measured once. passes: of the denoiser, so far."""

    def __init__(self, picture: PictureErrors) -> None:
        self.levels, self.passes, self._picture = picture.levels, 0, picture
        self._known: dict[tuple[str, int], Tensor] = {}

    def errors(self, prompts: Sequence[str], noise: int) -> Tensor:
        new = [prompt for prompt in prompts if (prompt, noise) not in self._known]
        if new:
            self.passes += self.levels * len(new)
            measured = self._picture.errors(new, noise)
            self._known |= {(p, noise): e for p, e in zip(new, measured, strict=True)}
        return torch.stack([self._known[prompt, noise] for prompt in prompts])
