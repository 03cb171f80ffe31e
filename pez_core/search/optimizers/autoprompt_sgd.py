"""AutoPrompt_SGD, a baseline of the paper (arXiv 2302.03668 §2, from FluentPrompt, arXiv
2212.10539). After every update, the embeddings are replaced by their nearest tokens.

An update that does not reach another token is lost, so the result depends on the learning rate (the
paper's Figure 5a). This projection is the only difference from PEZ: the update is the same AdamW,
and its moments are not reset.
"""

from __future__ import annotations

from .pez import Pez


class AutoPromptSGD(Pez):
    def _advance(self) -> None:
        token_indices = self._table.nearest(self._embeddings)  # of embeddings that are tokens
        evaluation = self._evaluate(self._table.embeddings[token_indices])
        self._optimizer.step(evaluation.gradient)
        self._project()
        self._keep(evaluation.scores, token_indices)

    def _project(self) -> None:
        self._embeddings.copy_(self._table.embeddings[self._table.nearest(self._embeddings)])
