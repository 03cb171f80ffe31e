"""The state of one search: its goal, its best prompts, and how far it is."""

from __future__ import annotations

from typing import Any

import torch

from .best_tracker import BestTracker, Clock


class Search:
    """One search of a batch.

    goal: what it is for. generator: its own source of randomness. tracker: its best prompts. clock:
    its steps and seconds. round: how many rounds are done. expected: steps still to come if every
    round is run. stopped: why it ended, empty while it runs.
    """

    def __init__(
        self,
        number: int,
        goal: Any,
        generator: torch.Generator,
        tracker: BestTracker,
        clock: Clock,
        expected: int,
    ) -> None:
        """number: which of several searches it is."""
        self.number, self.goal, self.generator = number, goal, generator
        self.tracker, self.clock, self.expected = tracker, clock, expected
        self.round = self.idle = 0  # idle: rounds in a row without a gain
        self.before = -float("inf")  # the best value at the end of the round before
        self.stopped = ""

    @property
    def step(self) -> int:
        return self.clock.step

    @property
    def seconds(self) -> float:
        return self.clock.seconds
