"""AutoPrompt_SGD, a baseline of the paper (arXiv 2302.03668 §2, from FluentPrompt, arXiv
2212.10539): the embeddings are projected to their nearest tokens after every update, and the next
one starts there.

An update that does not come nearer to another token is lost, so all depends on the learning rate
(the paper's Figure 5a). It differs from PEZ in that projection alone: the same AdamW, whose moments
go on over projections, moves the embeddings.
"""

from __future__ import annotations

from .pez import Pez


class AutoPromptSGD(Pez):
    def _advance(self) -> None:
        token_indices = self._table.nearest(
            self._embeddings
        )  # they are tokens: this finds their indices
        evaluation = self._evaluate(self._table.embeddings[token_indices])
        self._optimizer.step(evaluation.gradient)
        self._project()
        self._keep(evaluation.scores, token_indices)

    def _project(self) -> None:
        self._embeddings.copy_(self._table.embeddings[self._table.nearest(self._embeddings)])
