"""Searches with the same settings that move in step and share each pass through the tower."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress

import torch

from ..clip.text_tower import Tower
from ..errors import PezError
from ..prompt import LearnedPrompt
from ..targets import Targets, mean_target
from .best_tracker import Lineage
from .objective import Cosine
from .optimizers import OPTIMIZERS, Optimizer
from .refine import Refine
from .run import Search, Setting

# Steps between looks at the device: each look waits for it, and 5 steps of a GPU are 2 ms.
LOOK_EVERY = 5


class _AllStopped(Exception):
    """Breaks off a long step that nobody waits for any more."""


class Group:
    """The searches that run, and the towers and tables they share.

    refine: what improves the best of a round.
    """

    refine: type[Refine] = Refine

    def __init__(self, setting: Setting, tower: Tower) -> None:
        """tower: that of the setting's model, in the precision to search in."""
        self._setting, self._tower = setting, tower
        self._config, self._table = setting.config, setting.table
        self._layout = torch.tensor(setting.template.layout)
        self._running: list[Search] = []
        self._shared = time.perf_counter()  # up to when the time has been shared out

    def _share_time(self) -> None:
        """Adds the time since the last call to the searches that still run, in equal parts."""
        now = time.perf_counter()
        live = self._live()
        for search in live:
            search.spent += (now - self._shared) / len(live)
        self._shared = now

    def run(
        self, goals: Iterable[Targets], at_once: int
    ) -> Iterator[tuple[int, LearnedPrompt | PezError]]:
        """The result of each goal with its number, as soon as it is done; at most `at_once` run
        together."""
        source = enumerate(goals)
        while True:
            while len(self._running) < at_once and (goal := next(source, None)):
                number, targets = goal
                try:
                    self._running.append(Search(self._setting, number, targets, self._share_time))
                except PezError as error:
                    yield number, error
            if not self._running:
                return
            self._shared = time.perf_counter()  # what the caller did meanwhile is not counted
            with torch.inference_mode(False):
                self._round()
                results = [(s.number, s.result()) for s in self._running if s.stopped]
            self._running = [search for search in self._running if not search.stopped]
            yield from results

    def _live(self) -> list[Search]:
        return [search for search in self._running if not search.stopped]

    def _round(self) -> None:
        self._move()
        self._refine()
        for search in self._live():
            search.end_round()

    def _move(self) -> None:
        """The optimiser's steps of a round."""
        searches = list(self._running)
        optimizer = self._optimizer(searches)
        for step in range(1, self._config.steps + 1):
            optimizer.step()
            before = self._live()
            if step % LOOK_EVERY == 0 or step == self._config.steps:
                self._look(optimizer, searches, before)
            for search in before:
                search.step, search.expected = search.step + 1, search.expected - 1
                search.report("pez")
            # What a search has reached since the last look counts when it ends between two.
            self._look(optimizer, searches, [search for search in before if search.stopped])
            if not self._live():
                return

    def _optimizer(self, searches: list[Search]) -> Optimizer:
        return self._make(OPTIMIZERS[self._config.optimizer], searches)

    def _make(self, kind: type[Optimizer], searches: list[Search]) -> Optimizer:
        targets, penalty = [s.targets for s in searches], self._setting.penalty
        objective = Cosine(self._tower, self._layout, targets, penalty)
        generators = [s.generator for s in searches]
        return kind(objective, self._table, self._config, generators, fluency=self._setting.fluency)

    def _look(self, optimizer: Optimizer, searches: list[Search], wanted: list[Search]) -> None:
        """Shows searches what their prompts have reached. Waits for the device."""
        if not wanted:
            return
        count = self._config.restarts
        worth = optimizer.best_scores
        if self._setting.fluency is not None:
            worth = worth + self._setting.fluency.scores(optimizer.best_rows)
        scores: list[list[float]] = worth.view(-1, count).tolist()
        rows = optimizer.best_rows.view(len(searches), count, -1)
        for place, search in enumerate(searches):
            if search in wanted:
                search.look(scores[place], rows[place])

    def _refine(self) -> None:
        """Refines the best of the round, all searches together."""
        lineages = [
            (search, lineage)
            for search in self._live()
            for lineage in search.board.best_of_round(search.round, self._config.refine)
        ]
        if not lineages:
            return
        refine = self._refinement(lineages)
        left = [self._setting.template.learned] * len(lineages)
        with suppress(_AllStopped):
            while not all(refine.done):
                moved = [place for place, done in enumerate(refine.done) if not done]
                refine.step()
                for place in moved:
                    search, lineage = lineages[place]
                    search.board.put(lineage.key, refine.rows[place], refine.scores[place])
                    search.step += 1
                    if left[place] > 1:  # the last is kept back: how many it takes is not known
                        left[place], search.expected = left[place] - 1, search.expected - 1
                for search in dict.fromkeys(lineages[place][0] for place in moved):
                    search.report("refine")
                for place, (search, _) in enumerate(lineages):
                    refine.done[place] = refine.done[place] or bool(search.stopped)
        for (search, _), rest in zip(lineages, left, strict=True):
            search.expected -= rest

    def _refinement(self, lineages: list[tuple[Search, Lineage]]) -> Refine:
        def tick() -> None:
            for search in self._live():
                search.report("refine")
            if not self._live():
                raise _AllStopped

        return self.refine(
            self._tower,
            self._table,
            self._layout,
            torch.stack([mean_target(search.targets) for search, _ in lineages]),
            torch.stack([lineage.rows for _, lineage in lineages]),
            swaps=self._config.swaps,
            fluency=self._setting.fluency,
            penalty=self._setting.penalty,
            permits=None if self._setting.mask.closed else lineages[0][0].board.permits,
            tick=tick,
        )
