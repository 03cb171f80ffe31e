"""A soft prompt (arXiv 2104.08691) that is projected to tokens once, at the end.

The embeddings move freely. The tokens nearest to the final embeddings are the prompt. PEZ is better
because it takes its gradient at the tokens. But: there is no prompt before the last step, so a
search that ends earlier returns nothing.
"""

from __future__ import annotations

import torch

from .pez import Pez


class Soft(Pez):
    captures = False  # the last step differs
    unfinished = "a soft prompt has words only after the last step of a round"

    def _prepare(self) -> None:
        super()._prepare()
        self._left = self._config.steps

    def step(self) -> None:
        super().step()
        self._left -= 1
        if not self._left:
            self._finish()

    def _advance(self) -> None:
        self._optimizer.step(self._evaluate(self._embeddings).gradient)

    @torch.inference_mode(False)
    @torch.no_grad()
    def _finish(self) -> None:
        token_indices = self._table.nearest(self._embeddings)
        # One trial per prompt, with the mini-batches of the last step.
        scores, _ = self._objective.scores(
            self._table.embeddings[token_indices][:, None], self._at - 1
        )
        self._keep(scores[:, 0], token_indices)
