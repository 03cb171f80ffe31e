"""AutoPrompt_SGD, a baseline of the paper (arXiv 2302.03668 §2, from FluentPrompt, arXiv
2212.10539): the embeddings are projected to their nearest tokens after every update, and the next
one starts there.

An update that does not come nearer to another token is lost, so all depends on the learning rate
(the paper's Figure 5a). It differs from PEZ in that projection alone: the same AdamW, whose moments
go on over projections, moves the embeddings.
"""

from __future__ import annotations

from torch import Tensor

from .pez import Pez


class AutoPromptSGD(Pez):
    def _prepare(self) -> None:
        super()._prepare()
        self._tokens = self._start.clone()  # (N, n) the tokens that the embeddings are

    def _advance(self) -> None:
        reading = self._read(self._table.rows[self._tokens])
        self._keep(reading.scores, self._tokens)
        self._optimizer.step(reading.gradient)
        self._project()

    def _project(self) -> None:
        self._place(self._table.nearest(self._embeddings))

    def _place(self, rows: Tensor) -> None:
        """Moves the embeddings onto tokens. rows: (N, n)"""
        self._tokens.copy_(rows)
        self._embeddings.copy_(self._table.rows[rows])
