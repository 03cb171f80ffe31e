"""AutoPrompt (arXiv 2010.15980) with HotFlip's candidates (arXiv 1712.06751): in every step one
place of a prompt, drawn at random, gets the best of the tokens that the gradient proposes.

`config.swaps` tokens are proposed, by what each would gain to first order, and every one is
evaluated: that many forwards a step and prompt beside the gradient's. It has no learning rate.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..linear import product
from ..objective import worth
from .optimizer import Optimizer


class AutoPrompt(Optimizer):
    def _prepare(self) -> None:
        self._rows = self._start.clone()  # (N, n)
        shape, count = (self._config.steps, self._restarts), self._slots.count
        self._places = self._draw(lambda g: torch.randint(count, shape, generator=g), dim=1)

    def _advance(self) -> None:
        reading = self._read(self._table.rows[self._rows])
        self._keep(reading.scores, self._rows)
        place = self._places[self._at][0]  # (N,)
        trials = self._trials(place, reading.gradient)  # (N, k, n)
        with torch.no_grad():
            features = self._slots.features(self._table.rows[trials.flatten(0, 1)])
        features = features.view(*trials.shape[:2], -1)  # (N, k, E)
        best, which = worth(features, self._aims_now()[:, None], self._penalty).max(dim=1)
        chosen = trials.gather(1, which[:, None, None].expand(-1, 1, trials.shape[2]))[:, 0]
        scores = worth(features, self._aims[:, None], self._penalty).gather(1, which[:, None])[:, 0]
        better = best > reading.goals
        self._rows.copy_(torch.where(better[:, None], chosen, self._rows))
        self._keep(torch.where(better, scores, -torch.inf), chosen)

    def _trials(self, place: Tensor, gradient: Tensor) -> Tensor:
        """Every prompt with each of the tokens proposed for a place. place: (N,); gradient: (N, n,
        D) → (N, k, n)"""
        count = min(self._config.swaps, len(self._table.ids))
        there = place[:, None, None]
        own = gradient.gather(1, there.expand(-1, 1, gradient.shape[2]))[:, 0]  # (N, D)
        tokens = product(-own, self._table.rows).topk(count, dim=1).indices  # (N, k)
        trials = self._rows[:, None].repeat(1, count, 1)
        return trials.scatter(2, there.expand(-1, count, 1), tokens[..., None])
