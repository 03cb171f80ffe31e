"""The anytime loop: searches that move in step, in rounds, within a budget.

Each round moves random prompts with an optimiser and refines the best of them. The best so far is
always valid: a callback, a time limit, a plateau or the last round ends a search with a result.
Searches with the same settings share each pass through the tower. What they are for is a
`Problem`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Generic

import torch

from ..compute.threads import one_thread_if_small
from ..errors import PezError
from .best_tracker import Clock
from .cuda_graph import graphed
from .optimizers import OPTIMIZERS, Optimizer
from .problem import G, Problem, R
from .state import Search

LEAST_GAIN = 1e-4  # a round that gains less is on a plateau


class _AllStopped(Exception):
    """Ends a long step when no search waits for it."""


class SearchLoop(Generic[G, R]):
    """The searches that run together."""

    def __init__(self, problem: Problem[G, R]) -> None:
        self._problem, self._config = problem, problem.config
        self._running: list[Search] = []
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
                    self._running.append(self._begin(number, goal))
                except PezError as error:
                    yield number, error
            if not self._running:
                return
            self._shared = time.perf_counter()  # the caller's own time is not counted
            with torch.inference_mode(False):  # ComfyUI calls its nodes in it, without gradients
                with one_thread_if_small(self._problem.table.embeddings.shape[-1]):
                    self._run_round()
                results = [(s.number, self._result(s)) for s in self._running if s.stopped]
            self._running = [search for search in self._running if not search.stopped]
            yield from results

    def _begin(self, number: int, goal: G) -> Search:
        """A search. Raises PezError for a goal that does not fit."""
        problem, config, clock = self._problem, self._config, Clock(self._share_time)
        problem.check(goal)
        # The tracker knows the clock, not the search: a cycle would keep the tower in memory.
        tracker = problem.tracker_type(problem, goal, clock)
        # A refinement swaps about every token once.
        expected = config.rounds * (config.steps + config.refine * problem.count)
        return Search(number, goal, problem.generator(), tracker, clock, expected)

    def _report(self, search: Search, phase: str) -> None:
        """Calls the callback, and ends the search if the callback or the time limit says so."""
        if self._problem.notify(search, phase) is False:
            search.stopped = "user"
        limit = self._config.seconds
        if limit is not None and not search.stopped and search.seconds >= limit:
            search.stopped = "seconds"

    def _end_round(self, search: Search) -> None:
        """Counts the round, and ends the search after the last one or on a plateau."""
        config, value = self._config, search.tracker.value
        search.idle = 0 if value > search.before + LEAST_GAIN else search.idle + 1
        search.before = value
        search.round += 1
        if config.patience is not None and search.idle >= config.patience:
            search.stopped = "plateau"
        elif search.round == config.rounds:
            search.stopped = "steps"

    def _result(self, search: Search) -> R | PezError:
        """What the problem makes of the search, or an error if it ended before a prompt."""
        kind = OPTIMIZERS[self._config.optimizer]
        if search.tracker.best is None and kind.unfinished and search.stopped != "steps":
            return kind.has_nothing(search.step)
        return self._problem.result(search)

    def _share_time(self) -> None:
        """Adds the time since the last call to the running searches, in equal parts."""
        now = time.perf_counter()
        live = self._live()
        for search in live:
            search.clock.spent += (now - self._shared) / len(live)
        self._shared = now

    def _live(self) -> list[Search]:
        return [search for search in self._running if not search.stopped]

    def _run_round(self) -> None:
        self._move()
        if self._config.refine:
            self._refine()
        for search in self._live():
            self._end_round(search)

    def _move(self) -> None:
        """The optimiser's steps of a round."""
        searches = list(self._running)
        optimizer = self._problem.optimizer(searches)
        advance = graphed(optimizer) if self._problem.captures else optimizer.step
        for step in range(1, self._config.steps + 1):
            advance()
            before = self._live()
            first = [search for search in before if search.step == 0]
            if step % self._problem.update_every == 0 or step == self._config.steps:
                self._update(optimizer, searches, before)
            elif first and self._problem.shows_at_once:
                self._update(optimizer, searches, first)
            for search in before:
                search.clock.step, search.expected = search.step + 1, search.expected - 1
                self._report(search, "pez")
            # A search that ends between two updates keeps what it has reached since the last.
            self._update(optimizer, searches, [search for search in before if search.stopped])
            if not self._live():
                return

    def _update(
        self,
        optimizer: Optimizer,
        searches: Sequence[Search],
        wanted: Sequence[Search],
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
                    self._report(search, "refine")
                for place, (search, _) in enumerate(chosen):
                    refine.done[place] = refine.done[place] or bool(search.stopped)
        for (search, _), rest in zip(chosen, left, strict=True):
            search.expected -= rest

    def _check_interrupt(self) -> None:
        """Between two passes of a long step: reports, and breaks it off when all have stopped."""
        for search in self._live():
            self._report(search, "refine")
        if not self._live():
            raise _AllStopped
