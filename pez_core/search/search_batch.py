"""The anytime loop: searches that move in step, in rounds, within a budget.

Each round moves random prompts with an optimiser and refines the best of them. The best so far is
always valid: a callback, a time limit, a plateau or the last round ends a search with a result.
Searches with the same settings share each pass through the tower. What they are for is a
`Problem`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Generic

import torch

from ..errors import PezError
from .best_tracker import Clock
from .cuda_graph import graphed
from .optimizers import OPTIMIZERS, Optimizer
from .problem import G, Problem, R

LEAST_GAIN = 1e-4  # a round that gains less is on a plateau


class _AllStopped(Exception):
    """Ends a long step when no search waits for it."""


class Search(Generic[G, R]):
    """One search of a batch.

    tracker: its best prompts. round: how many are done. expected: steps still to come if
    every round is run. stopped: why it ended, empty while it runs.
    """

    def __init__(
        self, problem: Problem[G, R], number: int, goal: G, share_time: Callable[[], None]
    ) -> None:
        """share_time: as for `Clock`. Raises PezError for a goal that does not fit."""
        self._problem, self.clock = problem, Clock(share_time)
        self.number, self.goal, self.generator = number, goal, problem.generator()
        problem.check(goal)
        # Not this search itself: a cycle would keep the tower in memory after the search.
        self.tracker = problem.tracker(problem, goal, self.clock)
        self.round = self._idle = 0
        # A refinement swaps about every token once.
        config = problem.config
        self.expected = config.rounds * (config.steps + config.refine * problem.count)
        self._before = -float("inf")  # the best value at the end of the round before
        self.stopped = ""

    @property
    def step(self) -> int:
        return self.clock.step

    @property
    def seconds(self) -> float:
        return self.clock.seconds

    def report(self, phase: str) -> None:
        """Calls the callback, and ends the search if the callback or the time limit says so."""
        if self._problem.notify(self, phase) is False:
            self.stopped = "user"
        limit = self._problem.config.seconds
        if limit is not None and not self.stopped and self.seconds >= limit:
            self.stopped = "seconds"

    def end_round(self) -> None:
        """Counts the round, and ends the search after the last one or on a plateau."""
        config, value = self._problem.config, self.tracker.value
        self._idle = 0 if value > self._before + LEAST_GAIN else self._idle + 1
        self._before = value
        self.round += 1
        if config.patience is not None and self._idle >= config.patience:
            self.stopped = "plateau"
        elif self.round == config.rounds:
            self.stopped = "steps"

    def result(self) -> R | PezError:
        """What the problem makes of the search, or an error if it found no text."""
        kind = OPTIMIZERS[self._problem.config.optimizer]
        if self.tracker.best is None and kind.unfinished and self.stopped != "steps":
            return kind.has_nothing(self.step)
        return self._problem.result(self)


class SearchBatch(Generic[G, R]):
    """The searches that run together."""

    def __init__(self, problem: Problem[G, R]) -> None:
        self._problem, self._config = problem, problem.config
        self._running: list[Search[G, R]] = []
        self._shared = time.perf_counter()  # the time up to here has been shared out

    def run(self, goals: Iterable[G], concurrency: int = 1) -> Iterator[tuple[int, R | PezError]]:
        """The number and the result of each goal, as soon as it is done.

        goals: read only as places become free. concurrency: how many run together at most.
        """
        source = enumerate(goals)
        while True:
            while len(self._running) < concurrency and (next_goal := next(source, None)):
                number, goal = next_goal
                try:
                    self._running.append(Search(self._problem, number, goal, self._share_time))
                except PezError as error:
                    yield number, error
            if not self._running:
                return
            self._shared = time.perf_counter()  # the caller's own time is not counted
            with torch.inference_mode(False):
                self._run_round()
                results = [(s.number, s.result()) for s in self._running if s.stopped]
            self._running = [search for search in self._running if not search.stopped]
            yield from results

    def _share_time(self) -> None:
        """Adds the time since the last call to the running searches, in equal parts."""
        now = time.perf_counter()
        live = self._live()
        for search in live:
            search.clock.spent += (now - self._shared) / len(live)
        self._shared = now

    def _live(self) -> list[Search[G, R]]:
        return [search for search in self._running if not search.stopped]

    def _run_round(self) -> None:
        self._move()
        if self._config.refine:
            self._refine()
        for search in self._live():
            search.end_round()

    def _move(self) -> None:
        """The optimiser's steps of a round."""
        searches = list(self._running)
        optimizer = self._problem.optimizer(searches)
        advance = graphed(optimizer) if self._problem.captures else optimizer.step
        for step in range(1, self._config.steps + 1):
            advance()
            before = self._live()
            if step % self._problem.update_every == 0 or step == self._config.steps:
                self._update(optimizer, searches, before)
            for search in before:
                search.clock.step, search.expected = search.step + 1, search.expected - 1
                search.report("pez")
            # A search that ends between two updates keeps what it has reached since the last.
            self._update(optimizer, searches, [search for search in before if search.stopped])
            if not self._live():
                return

    def _update(
        self,
        optimizer: Optimizer,
        searches: Sequence[Search[G, R]],
        wanted: Sequence[Search[G, R]],
    ) -> None:
        """Hands the best prompts so far to some searches. Waits for the device."""
        if not wanted:
            return
        scores, token_indices = self._problem.reached(optimizer, len(searches))
        for place, search in enumerate(searches):
            if search in wanted:
                search.tracker.update(search.round, scores[place], token_indices[place])

    def _refine(self) -> None:
        """Refines the best prompts of the round, those of all searches together."""
        chosen = [
            (search, lineage)
            for search in self._live()
            for lineage in search.tracker.best_of_round(search.round, self._config.refine)
        ]
        if not chosen:
            return
        refine = self._problem.refinement(chosen, self._check_interrupt)
        left = [self._problem.count] * len(chosen)
        with suppress(_AllStopped):
            while not all(refine.done):
                moved = [place for place, done in enumerate(refine.done) if not done]
                refine.step()
                for place in moved:
                    search, lineage = chosen[place]
                    search.tracker.put(
                        lineage.key, refine.token_indices[place], refine.scores[place]
                    )
                    search.clock.step += 1
                    if left[place] > 1:  # the last is kept: nobody knows how many it takes
                        left[place], search.expected = left[place] - 1, search.expected - 1
                for search in dict.fromkeys(chosen[place][0] for place in moved):
                    search.report("refine")
                for place, (search, _) in enumerate(chosen):
                    refine.done[place] = refine.done[place] or bool(search.stopped)
        for (search, _), rest in zip(chosen, left, strict=True):
            search.expected -= rest

    def _check_interrupt(self) -> None:
        """Between two passes of a long step: reports, and breaks it off when all have stopped."""
        for search in self._live():
            search.report("refine")
        if not self._live():
            raise _AllStopped
