"""A soft prompt (arXiv 2104.08691) that is projected to tokens once, at the end.

The embeddings move freely, and the tokens nearest to where they end are the prompt: what PEZ is
better than because its gradient is taken where the tokens are. But: before the last step there is
no prompt, so a search that is ended before has nothing to hand out.
"""

from __future__ import annotations

import torch

from .pez import Pez


class Soft(Pez):
    unfinished = "a soft prompt has words only behind the last step of a round"

    def _prepare(self) -> None:
        super()._prepare()
        self._left = self._config.steps

    def step(self) -> None:
        super().step()
        self._left -= 1
        if not self._left:
            self._finish()

    def _advance(self) -> None:
        self._optimizer.step(self._read(self._embeddings).gradient)

    @torch.inference_mode(False)
    @torch.no_grad()
    def _finish(self) -> None:
        rows = self._table.nearest(self._embeddings)
        # One trial of every prompt, with the mini-batches of the last step.
        scores, _ = self._objective.scores(self._table.rows[rows][:, None], self._at - 1)
        self._keep(scores[:, 0], rows)
