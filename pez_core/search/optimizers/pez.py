"""PEZ, Algorithm 1 of "Hard Prompts Made Easy" (arXiv 2302.03668 §3), for a batch of restarts of
one or several searches.

Each step projects the continuous embeddings to their nearest tokens, takes the gradient *there*,
and applies it to the continuous embeddings. One forward and one backward compute the scores and
gradients of all restarts. A step does not wait for the device. The caller can read `best_scores`
and `best_token_indices` after any step.

With one restart, the same generator and the same precision, it yields the same tokens as
`reference` in every step.
"""

from __future__ import annotations

from .adamw import AdamW
from .optimizer import Optimizer


class Pez(Optimizer):
    def _prepare(self) -> None:
        self._embeddings = self._table.embeddings[self._start].clone()  # (N, n, D)
        lr, weight_decay = self._config.lr, self._config.weight_decay
        self._optimizer = AdamW(self._embeddings, lr=lr, weight_decay=weight_decay)

    def _advance(self) -> None:
        token_indices = self._table.nearest(self._embeddings)  # (N, n)
        evaluation = self._evaluate(self._table.embeddings[token_indices])
        self._optimizer.step(evaluation.gradient)
        self._keep(evaluation.scores, token_indices)
