"""AutoPrompt (arXiv 2010.15980) with HotFlip's candidates (arXiv 1712.06751). In every step, one
random place of a prompt gets the best of the tokens that the gradient proposes.

The `config.swaps` tokens with the highest first-order gain are proposed, and each is evaluated. A
step needs that many forwards per prompt, and one forward and backward for the gradient. There is no
learning rate.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...compute.linear import product
from .optimizer import Optimizer


class AutoPrompt(Optimizer):
    def _prepare(self) -> None:
        shape, count = (self._config.steps, self._restarts), self._objective.count
        self._places = self._draw(lambda g: torch.randint(count, shape, generator=g), dim=1)

    def _advance(self) -> None:
        evaluation = self._evaluate(self._table.embeddings[self.token_indices])
        self._keep(evaluation.scores, self.token_indices)
        place = self._places[self._at][0]  # (N,)
        trials = self._trials(place, evaluation.gradient)  # (N, k, n)
        embeddings = self._table.embeddings[trials]
        scores, goals = self._objective.scores(embeddings, self._at)  # (N, k) each
        best, which = goals.max(dim=1)
        chosen = trials.gather(1, which[:, None, None].expand(-1, 1, trials.shape[2]))[:, 0]
        better = best > evaluation.goals
        reached = torch.where(better, scores.gather(1, which[:, None])[:, 0], evaluation.scores)
        self._keep(reached, torch.where(better[:, None], chosen, self.token_indices))

    def _trials(self, place: Tensor, gradient: Tensor) -> Tensor:
        """Every prompt with each of the tokens that are proposed for its place.

        place: (N,). gradient: (N, n, D) → (N, k, n)
        """
        count = min(self._config.swaps, len(self._table.ids))
        there = place[:, None, None]
        own = gradient.gather(1, there.expand(-1, 1, gradient.shape[2]))[:, 0]  # (N, D)
        tokens = product(-own, self._table.embeddings).topk(count, dim=1).indices  # (N, k)
        trials = self.token_indices[:, None].repeat(1, count, 1)
        return trials.scatter(2, there.expand(-1, count, 1), tokens[..., None])
