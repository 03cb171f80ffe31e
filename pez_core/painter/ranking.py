"""Which prompt describes a picture best, by the errors with which a painter denoises it.

Each round shows the painter the picture under one more noise, at every level of noise, with each
prompt that is still in the race and with no words at all. A prompt's error is divided by that of no
words under the same noise, because levels differ much more than prompts. A prompt that is behind
the best beyond its interval leaves the race (racing, Maron and Moore 1994).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Protocol

import torch
from torch import Tensor

from ..errors import ConfigError, PictureError
from .settings import ROUNDS

LEAST_ROUNDS = 2  # before a prompt may leave: one gives no interval
SURE, HASTY = 0.95, 0.9  # how often intervals are right
NO_WORDS = ""


class PictureErrors(Protocol):
    """A picture, as a painter sees it under noise of several levels."""

    levels: int

    def errors(self, prompts: Sequence[str], noise: int) -> Tensor:
        """The errors (P, levels) of prompts, all under the same noise, whose number is given."""
        ...


@dataclass(frozen=True)
class RankedPrompt:
    """A prompt in a ranking.

    error: of denoising, as a share of that without words, mean over noises: below 1 the words help.
    low, high: the interval of the prompt's error, given the best prompt's: paired, over the noises
    of both, and right in 95 % of the rankings, though a race looks at it after every round. That of
    the best has no width. passes: of the denoiser, for this prompt.
    """

    prompt: str
    error: float
    low: float
    high: float
    passes: int


@dataclass(frozen=True)
class Ranking:
    """Prompts, best first. passes: of the denoiser, in all. reason: why it ended: "one left",
    "rounds", "seconds" or "stopped"."""

    prompts: list[RankedPrompt]
    rounds: int
    passes: int
    seconds: float
    reason: str

    @property
    def tied(self) -> int:
        """How many of the first prompts cannot be told apart from the best."""
        best = self.prompts[0].error
        return sum(ranked.low <= best for ranked in self.prompts)

    @property
    def certainty(self) -> str:
        """What is known of the first place, in words."""
        if len(self.prompts) == 1:
            return "there is nothing to compare it with"
        if self.tied == 1:
            return "the first is the best"
        if self.tied == len(self.prompts):
            return "the prompts cannot be told apart"
        return f"the first {self.tied} cannot be told apart"


Callback = Callable[[Ranking], bool | None]


def rank(
    picture: PictureErrors,
    prompts: Sequence[str],
    rounds: int = ROUNDS,
    seconds: float | None = None,
    callback: Callback | None = None,
    race: bool = True,
    hasty: bool = False,
) -> Ranking:
    """Ranks prompts by how well a painter denoises a picture under them. At any time the ranking so
    far is valid.

    seconds: no round begins after so many. callback: called with the ranking after every round; if
    it returns False, the ranking ends. race: drop prompts that are behind. hasty: drop them sooner,
    with intervals that are right in 90 % at each look, for a race whose winner is confirmed.
    Raises ConfigError without a prompt, for one that is given twice, and for a number out of range;
    PictureError when the painter predicts values that are not finite.
    """
    _require(prompts, rounds, seconds)
    at_each_look = HASTY if hasty else 1 - (1 - SURE) / max(1, rounds - 1)  # Bonferroni
    began, table = time.perf_counter(), _Table(prompts, picture.levels, at_each_look)
    reason = "rounds"
    for number in range(rounds):
        racing = [*table.racing]
        table.add(racing, relative_errors(picture, [prompts[place] for place in racing], number))
        if race and number + 1 >= LEAST_ROUNDS:
            table.drop()
        found = table.ranking(began, reason)
        if callback is not None and callback(found) is False:
            reason = "stopped"
        elif len(table.racing) == 1 and len(prompts) > 1:
            reason = "one left"
        elif seconds is not None and time.perf_counter() - began >= seconds:
            reason = "seconds"
        else:
            continue
        break
    return table.ranking(began, reason)


def relative_errors(picture: PictureErrors, prompts: Sequence[str], noise: int) -> Tensor:
    """The errors (P, levels) of prompts as shares of that without words, under a noise.

    Raises PictureError when the painter predicts values that are not finite.
    """
    errors = picture.errors([NO_WORDS, *prompts], noise)
    relative = errors[1:] / errors[0]
    if not torch.isfinite(relative).all():
        raise PictureError("the painter predicts values that are not finite: use it in float32")
    return relative


def interval(differences: Tensor, sure: float = SURE) -> tuple[float, float]:
    """The interval of the mean of paired differences (rounds, levels), at least two.

    sure: how often it is right.
    """
    (rounds, levels), mean = differences.shape, differences.mean().item()
    if rounds < LEAST_ROUNDS:
        spread, freedom = differences.std().item(), levels - 1
    else:  # around the mean of each level: the levels are the same in every round
        spread, freedom = differences.var(0).mean().sqrt().item(), (rounds - 1) * levels
    half = _student((1 + sure) / 2, freedom) * spread / (rounds * levels) ** 0.5
    return mean - half, mean + half


def _student(probability: float, freedom: int) -> float:
    """Student's quantile, by the expansion of Cornish and Fisher: for three degrees of freedom and
    more it is right to a few per cent."""
    z = NormalDist().inv_cdf(probability)
    first = (z**3 + z) / (4 * freedom)
    second = (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    return z + first + second


class _Table:
    """The relative errors of all prompts, by round. racing: the places of the prompts that are
    still in the race."""

    def __init__(self, prompts: Sequence[str], levels: int, sure: float) -> None:
        self.prompts, self.levels, self._sure = prompts, levels, sure
        self.racing = list(range(len(prompts)))
        self._errors: list[list[Tensor]] = [[] for _ in prompts]  # (levels,) of each round
        self._rounds = 0

    def add(self, places: Sequence[int], errors: Tensor) -> None:
        """The relative errors (P, levels) of the prompts at some places in a round."""
        for place, error in zip(places, errors, strict=True):
            self._errors[place].append(error)
        self._rounds += 1

    def drop(self) -> None:
        """Takes those out of the race whose interval lies behind the best."""
        best = self._best()
        self.racing = [place for place in self.racing if self._interval(place, best)[0] <= 0]

    def ranking(self, began: float, reason: str) -> Ranking:
        best = self._best()
        error = self._mean(best)
        ranked = []
        for place, prompt in enumerate(self.prompts):
            low, high = self._interval(place, best)
            # Of a prompt that left early, the difference is over the noises that it has seen.
            own = error + (low + high) / 2
            passes = self.levels * len(self._errors[place])
            ranked.append(RankedPrompt(prompt, own, error + low, error + high, passes))
        # Those that stayed longer are known to be better than those that left.
        ranked.sort(key=lambda r: (-r.passes, r.error))
        passes = sum(r.passes for r in ranked) + self.levels * self._rounds
        return Ranking(ranked, self._rounds, passes, time.perf_counter() - began, reason)

    def _mean(self, place: int) -> float:
        return torch.stack(self._errors[place]).mean().item()

    def _best(self) -> int:
        return min(self.racing, key=self._mean)

    def _interval(self, place: int, best: int) -> tuple[float, float]:
        """How far a prompt is behind the best, over the noises that both have seen."""
        if place == best:
            return 0.0, 0.0
        own = self._errors[place]
        return interval(torch.stack(own) - torch.stack(self._errors[best][: len(own)]), self._sure)


def _require(prompts: Sequence[str], rounds: int, seconds: float | None) -> None:
    if not prompts:
        raise ConfigError("give at least one prompt to rank")
    twice = next((prompt for prompt, count in Counter(prompts).items() if count > 1), None)
    if twice is not None:
        raise ConfigError(f"the prompt {twice!r:.60} is given twice")
    if rounds < 1:
        raise ConfigError(f"rounds must be at least 1, got {rounds}")
    if seconds is not None and not seconds > 0:
        raise ConfigError(f"seconds must be more than 0, got {seconds}")
