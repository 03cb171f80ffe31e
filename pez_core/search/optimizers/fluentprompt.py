"""FluentPrompt (arXiv 2212.10539), a baseline of the paper: Langevin dynamics over tokens.

e ← Proj(e - lr·∇ + √(2·lr·β)·z), with noise z. β falls geometrically from 1 to 1e-4. Prompts that
are not fluent are penalised. It is AutoPrompt_SGD with noise.

Two details differ from the paper. The noise is scaled by the spread of the token table, because the
published scale is for the larger embeddings of GPT-2. The penalty is the bigram prior (`fluency`).
It has no gradient, so it is part of the projection, which maximises cosine plus log P.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from .autoprompt_sgd import AutoPromptSGD

FIRST_BETA, LAST_BETA = 1.0, 1e-4  # arXiv 2302.03668, the authors' code


def noise_sizes(steps: int, lr: float) -> list[float]:
    """√(2·lr·β) of every step. β falls geometrically from the first to the last."""
    shares = [step / max(1, steps - 1) for step in range(steps)]
    return [(2 * lr * FIRST_BETA * (LAST_BETA / FIRST_BETA) ** share) ** 0.5 for share in shares]


class FluentPrompt(AutoPromptSGD):
    captures = False  # every step draws noise on the CPU

    def _prepare(self) -> None:
        super()._prepare()
        self._spread = self._table.embeddings.square().mean().sqrt()
        self._sizes = iter(noise_sizes(self._config.steps, self._config.lr))
        self._shape = (self._restarts, *self._embeddings.shape[1:])

    def _project(self) -> None:
        noise = self._draw(lambda g: torch.randn(self._shape, generator=g))
        self._embeddings.add_(noise * self._spread * next(self._sizes))
        if self._fluency is None:
            return super()._project()
        near = self._table.nearest(self._embeddings)  # (N, n)
        flat = F.normalize(self._embeddings, dim=-1).flatten(0, 1)
        cosines = self._table.products(flat).view(*near.shape, -1)
        values = cosines + self._fluency.changes(near)  # (N, n, A)
        self._embeddings.copy_(self._table.embeddings[values.argmax(dim=-1)])
        return None
