"""FluentPrompt (arXiv 2212.10539), a baseline of the paper: Langevin dynamics over tokens.

e ← Proj(e - lr·∇ + √(2·lr·β)·z), with noise z whose β falls geometrically from 1 to 1e-4, and a
penalty on what is not fluent. It is AutoPrompt_SGD with noise.

Two things are ours. The noise is measured in the spread of the token table, as the published one is
made for the larger embeddings of GPT-2. The penalty is that of the bigram prior (`fluency`), which
has no gradient: it counts where tokens are chosen, in the projection, as log P beside the cosine.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from .autoprompt_sgd import AutoPromptSGD

FIRST_BETA, LAST_BETA = 1.0, 1e-4  # arXiv 2302.03668, the authors' code


def noise_sizes(steps: int, lr: float) -> list[float]:
    """√(2·lr·β) of every step, β falling geometrically from the first to the last."""
    shares = [step / max(1, steps - 1) for step in range(steps)]
    return [(2 * lr * FIRST_BETA * (LAST_BETA / FIRST_BETA) ** share) ** 0.5 for share in shares]


class FluentPrompt(AutoPromptSGD):
    captures = False  # noise is drawn on the CPU in every step

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
        worth = cosines + self._fluency.changes(near)  # (N, n, A)
        self._embeddings.copy_(self._table.embeddings[worth.argmax(dim=-1)])
        return None
