"""Variants of the search, which `search_variants` compares with rounds of 40 steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from pez_core import SearchConfig, load_model
from pez_core.search.objective import Cosine
from pez_core.search.optimizers import Optimizer, Pez
from pez_core.search.projection import TokenTable
from pez_core.search.refine import LEAST_GAIN, Refine
from pez_core.search.search_loop import SearchLoop
from pez_core.search.searcher import Searcher
from pez_core.search.slots import Slots
from pez_core.search.state import Search
from pez_core.targets import mean_target
from pez_core.text.template import parse_template

ENDLESS = SearchConfig(steps=40, rounds=10_000, patience=None)  # ended by the time limit


@cache
def word_features(ids: tuple[int, ...]) -> Tensor:
    """The features of single tokens as prompts, (A, E)."""
    model = load_model("demo")
    rows = model.tower.token_embedding[list(ids)]
    slots = Slots(model.tower, torch.tensor(parse_template("{1}", model.vocabulary).layout))
    with torch.no_grad():
        return torch.cat([slots.features(part[:, None]) for part in rows.split(512)])


def nearest_words(table: TokenTable, target: Tensor, count: int) -> Tensor:
    """The rows of the tokens whose own features are nearest to a target. target: (E,) → (count,)"""
    features = word_features(tuple(table.ids.tolist()))
    return (features @ target).topk(min(count, len(features))).indices


class FallingPez(Pez):
    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._first_lr = self._optimizer._lr

    def step(self) -> None:
        done = self._at.item() / ENDLESS.steps
        self._optimizer._lr = self._first_lr * (0.55 + 0.45 * math.cos(math.pi * done))
        super().step()


class Falling(Searcher):
    """The learning rate decays along half a cosine, to a tenth in the last step of a round."""

    def optimizer(self, searches: Sequence[Search]) -> Optimizer:
        objective = self.objective([search.goal for search in searches])
        return FallingPez(objective, self.table, self.config, [s.generator for s in searches])


class Halving(SearchLoop[Any, Any]):
    """Successive halving: after every quarter of the steps the worse half of the restarts ends."""

    def _move(self) -> None:
        (search,) = self._running
        pez = self._problem.optimizer([search])
        assert isinstance(pez, Pez)
        scores = pez.best_scores.clone()
        alive = torch.arange(len(scores))
        for step in range(1, self._config.steps + 1):
            pez.step()
            scores[alive] = pez.best_scores
            if step % (self._config.steps // 4) == 0 and len(alive) > 1:
                rows = torch.zeros(len(scores), pez.best_token_indices.shape[1], dtype=torch.long)
                rows[alive] = pez.best_token_indices
                kept = pez.best_scores.topk(len(alive) // 2).indices
                scored = [s if i in alive else -math.inf for i, s in enumerate(scores)]
                search.tracker.update(search.round, scored, rows)
                alive = alive[kept]
                keep(pez, kept)
            self._report(search, "pez")
            if search.stopped:
                return


def keep(pez: Pez, kept: Tensor) -> None:
    """Keep only some prompts."""
    optimizer = pez._optimizer
    pez._embeddings = optimizer._value = optimizer._value[kept]
    optimizer._mean, optimizer._square = optimizer._mean[kept], optimizer._square[kept]
    objective = pez._objective
    assert isinstance(objective, Cosine)
    objective._means, pez.token_indices = objective._means[kept], pez.token_indices[kept]
    pez.best_scores, pez.best_token_indices = pez.best_scores[kept], pez.best_token_indices[kept]


class Seeded(Searcher):
    """Starts from the 64 words whose own features are nearest to the target."""

    def optimizer(self, searches: Sequence[Search]) -> Optimizer:
        pez, (search,) = super().optimizer(searches), searches
        assert isinstance(pez, Pez)
        near = nearest_words(self.table, mean_target(search.goal), 64)
        start = near[
            torch.randint(len(near), pez.best_token_indices.shape, generator=search.generator)
        ]
        pez._embeddings.copy_(self.table.embeddings[start])
        return pez


class Kicked(SearchLoop[Any, Any]):
    """After the first round: draw three positions of the best prompt anew, and refine it again."""

    def _move(self) -> None:
        (search,), problem = self._running, self._problem
        assert isinstance(problem, Searcher)
        if search.round == 0:
            return super()._move()
        best = max(search.tracker._lineages.values(), key=lambda lineage: lineage.score)
        rows = best.token_indices.repeat(self._config.restarts, 1)
        for row in rows:
            places = torch.randperm(len(row), generator=search.generator)[:3]
            row[places] = torch.randint(len(problem.table.ids), (3,), generator=search.generator)
        slots = Slots(problem.tower, problem.layout)
        with torch.no_grad():
            scores = slots.features(problem.table.embeddings[rows]) @ mean_target(search.goal)
        search.tracker.update(search.round, scores.tolist(), rows)


class Beam(Refine):
    def step(self) -> None:
        live = list(range(len(self.token_indices)))
        gains = self._gains(live)
        tried = [self._trials(prompt, g) for prompt, g in zip(live, gains, strict=True)]
        pool = torch.cat([*tried, torch.stack(self.token_indices)])
        owners = torch.zeros(len(pool) - len(live), dtype=torch.long)
        best = max(self.scores)
        scores = torch.cat([self._score(torch.cat(tried), owners), torch.tensor(self.scores)])
        places: dict[tuple[int, ...], int] = {}
        for place in scores.argsort(descending=True).tolist():
            places.setdefault(tuple(pool[place].tolist()), place)
            if len(places) == len(live):
                break
        self.token_indices = [pool[place] for place in places.values()]
        self.scores = [scores[place].item() for place in places.values()]
        self.done = [self.scores[0] <= best + LEAST_GAIN] * len(live)


class Beamed(Searcher):
    """Refine the best prompts of a round as one beam, which keeps the best swaps of all of them."""

    refine_type = Beam


class HalvedRefine(Refine):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._kept: dict[int, Tensor] = {}

    def _trials(self, prompt: int, gains: Tensor) -> Tensor:
        if prompt not in self._kept:
            count = min(self._swaps[prompt], len(self._table.ids) - 1)
            self._kept[prompt] = gains.topk(count).indices
        tokens = self._kept[prompt]
        trials = self.token_indices[prompt].repeat(*tokens.shape, 1)
        position = torch.arange(len(tokens))
        trials[position, :, position] = tokens
        return trials.flatten(0, 1)

    def _take_best(self, prompt: int, trials: Tensor, scores: Tensor) -> None:
        tokens, before = self._kept.pop(prompt), self.scores[prompt]
        fresh = tokens.shape[1] >= self._swaps[prompt]
        super()._take_best(prompt, trials, scores)
        if self.scores[prompt] > before + LEAST_GAIN and tokens.shape[1] > 4:
            half = scores.view(tokens.shape).topk(tokens.shape[1] // 2).indices
            self._kept[prompt] = tokens.gather(1, half)
        elif not fresh:  # no swap by a new gradient has failed yet
            self._swaps[prompt], self.done[prompt] = self._first_swaps, False


class Shrinking(Searcher):
    """In refinement each position tries 32 tokens and keeps the better half of them for the next
    step. When none improves the prompt, the gradient is computed again."""

    refine_type = HalvedRefine


@dataclass(frozen=True)
class Variant:
    """One variant of the search. nearest: use only that many tokens, those whose own features are
    nearest to the target; 0 means all."""

    name: str
    config: SearchConfig = ENDLESS
    problem: type[Searcher] = Searcher
    batch: type[SearchLoop[Any, Any]] = SearchLoop
    nearest: int = 0


VARIANTS = (
    Variant("40 steps"),
    Variant("lr 0.03", ENDLESS.replace(lr=0.03)),
    Variant("lr 0.3", ENDLESS.replace(lr=0.3)),
    Variant("lr falls from 0.3", ENDLESS.replace(lr=0.3), Falling),
    Variant("halving of 16", ENDLESS.replace(restarts=16), batch=Halving),
    Variant("start from the nearest 64 words", problem=Seeded),
    Variant("only the nearest 1000 words", nearest=1000),
    Variant("only the nearest 4000 words", nearest=4000),
    Variant("32 swaps, shrinking", ENDLESS.replace(swaps=32), Shrinking),
    Variant("8 swaps", ENDLESS.replace(swaps=8)),
    Variant("beam of 3", ENDLESS.replace(refine=3), Beamed),
    Variant("3 refined apart", ENDLESS.replace(refine=3)),
    Variant("10 steps", ENDLESS.replace(steps=10)),
    Variant("10 steps of 16", ENDLESS.replace(steps=10, restarts=16)),
    Variant("kicks after the first round", batch=Kicked),
)
