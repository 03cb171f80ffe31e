"""PEZ, Algorithm 1 of "Hard Prompts Made Easy" (arXiv 2302.03668 §3), for a batch of restarts.

In each step the continuous embeddings are projected to their nearest tokens, the gradient is taken
*there*, and applied to the continuous embeddings. One forward and one backward serve the score and
the gradient of all restarts. Nothing in a step waits for the device; the caller reads `best_scores`
and `best_rows` when it likes.

With one restart, the same generator and the same precision it follows `reference` token for token.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..captured import Captured, Step
from ..config import SearchConfig
from ..objective import weighted_similarity
from ..projection import TokenTable
from ..slots import Slots
from ..targets import Targets
from ..text_tower import TextTower
from .adamw import AdamW


class Pez:
    """R restarts of n learned tokens, moved together.

    best_scores: (R,) the best similarity of each restart so far. best_rows: (R, n) its tokens, as
    rows of the table.
    """

    @torch.inference_mode(False)
    def __init__(
        self,
        tower: TextTower,
        table: TokenTable,
        layout: Tensor,
        targets: Targets,
        config: SearchConfig,
        generator: torch.Generator,
        *,
        capture: bool = True,
    ) -> None:
        """layout: (L,) token ids with -1 where a token is learned.

        generator: on the CPU, the only source of randomness. capture: on a GPU, run the steps as a
        CUDA graph.
        """
        self._table, self._targets = table, targets
        device = table.rows.device
        self._slots = Slots(tower, layout)
        shape = (config.restarts, self._slots.count)
        start = torch.randint(len(table.ids), shape, generator=generator)
        self._embeddings = table.rows[start.to(device)].clone()  # (R, n, D)
        self._optimizer = AdamW(self._embeddings, lr=config.lr, weight_decay=config.weight_decay)
        self._batches = _draw_batches(len(targets), config, generator).to(device)
        self._at = torch.zeros(1, dtype=torch.long, device=device)  # steps done
        self.best_scores = torch.full(
            (config.restarts,), -torch.inf, device=device, dtype=table.rows.dtype
        )
        self.best_rows = start.to(device)
        captured = capture and device.type == "cuda"
        self._run: Step = Captured(self._advance) if captured else self._advance

    @torch.inference_mode(False)
    def step(self) -> None:
        """One step of Algorithm 1 for every restart."""
        self._run()

    def _advance(self) -> None:
        """The step on tensors that stay in their places, the number of the step among them."""
        rows = self._table.nearest(self._embeddings)  # (R, n)
        hard = self._table.rows[rows].requires_grad_()  # (R, n, D)
        features = self._slots.features(hard)  # (R, E)
        scores = weighted_similarity(features, self._targets)
        loss = 1 - scores
        if len(self._batches):
            loss = 1 - weighted_similarity(features, self._targets, self._batches[self._at][0])
        # The restarts do not touch each other, so the gradient of the sum is that of each.
        (gradient,) = torch.autograd.grad(loss.sum(), hard)
        self._optimizer.step(gradient)
        self._at += 1
        better = scores.detach() > self.best_scores
        self.best_scores.copy_(torch.where(better, scores.detach(), self.best_scores))
        self.best_rows.copy_(torch.where(better[:, None], rows, self.best_rows))


def _draw_batches(count: int, config: SearchConfig, generator: torch.Generator) -> Tensor:
    """The targets of every step's mini-batch, (steps, batch); empty where each step uses all."""
    if config.batch_size is None or config.batch_size >= count:
        return torch.empty(0, dtype=torch.long)
    draws = [
        torch.randperm(count, generator=generator)[: config.batch_size] for _ in range(config.steps)
    ]
    return torch.stack(draws)
