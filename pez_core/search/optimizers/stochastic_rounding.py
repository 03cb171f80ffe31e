"""PEZ with stochastic rounding instead of the nearest token, as in the training of quantised
networks (the model of arXiv 2302.03668 §3; the rounding of arXiv 1502.02551 §3.1).

An embedding is rounded to one of its two nearest tokens. The probability of a token is the share of
the *other* token in the sum of the two distances. The distance is 1 - cosine.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .pez import Pez


class StochasticRounding(Pez):
    def _prepare(self) -> None:
        super()._prepare()
        shape = (self._config.steps, self._restarts, self._objective.count)
        self._chances = self._draw(lambda g: torch.rand(shape, generator=g), dim=1)

    def _advance(self) -> None:
        token_indices = self._rounded()  # (N, n)
        evaluation = self._evaluate(self._table.embeddings[token_indices])
        self._optimizer.step(evaluation.gradient)
        self._keep(evaluation.scores, token_indices)

    def _rounded(self) -> Tensor:
        flat = self._embeddings.flatten(0, 1)  # (N·n, D)
        products = self._table.products(flat)
        near = products.topk(min(2, products.shape[1]), dim=1)
        lengths = flat.norm(dim=1, keepdim=True).clamp_min(1e-12)
        distances = (1 - near.values / lengths).clamp_min(0)  # (N·n, 2)
        share = distances[:, 0] / distances.sum(dim=1).clamp_min(1e-12)  # probability of the second
        second = self._chances[self._at][0].flatten() < share
        column = second.long()[:, None].clamp_max(near.indices.shape[1] - 1)
        return near.indices.gather(1, column).view(self._embeddings.shape[:-1])
