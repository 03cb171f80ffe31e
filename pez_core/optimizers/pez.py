"""PEZ, Algorithm 1 of "Hard Prompts Made Easy" (arXiv 2302.03668 §3), for a batch of restarts,
of one search or of several.

In each step the continuous embeddings are projected to their nearest tokens, the gradient is taken
*there*, and applied to the continuous embeddings. One forward and one backward serve the score and
the gradient of all restarts. Nothing in a step waits for the device; the caller reads `best_scores`
and `best_rows` when it likes.

With one restart, the same generator and the same precision it follows `reference` token for token.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..captured import Captured, Step
from ..config import SearchConfig
from ..objective import aim
from ..projection import TokenTable
from ..slots import Slots
from ..targets import Targets
from ..text_tower import Tower
from .adamw import AdamW


class Pez:
    """N prompts of n learned tokens, moved together: `config.restarts` for each of G goals, one
    goal behind the other.

    best_scores: (N,) the best similarity of each prompt so far. best_rows: (N, n) its tokens, as
    rows of the table.
    """

    @torch.inference_mode(False)
    def __init__(
        self,
        tower: Tower,
        table: TokenTable,
        layout: Tensor,
        goals: Sequence[Targets],
        config: SearchConfig,
        generators: Sequence[torch.Generator],
        *,
        capture: bool = True,
    ) -> None:
        """layout: (L,) token ids with -1 where a token is learned.

        generators: one for each goal, on the CPU, the only source of randomness: a goal draws from
        its own, so it moves as if it were alone. capture: on a GPU, run the steps as a CUDA graph.
        """
        self._table, device = table, table.rows.device
        self._slots = Slots(tower, layout)
        shape = (config.restarts, self._slots.count)
        starts = [torch.randint(len(table.ids), shape, generator=g) for g in generators]
        start = torch.cat(starts).to(device)  # (N, n)
        self._embeddings = table.rows[start].clone()  # (N, n, D)
        self._optimizer = AdamW(self._embeddings, lr=config.lr, weight_decay=config.weight_decay)
        # A row for every prompt, (N, E); with mini-batches one for every step too, (steps, G, E).
        self._aims = torch.stack([aim(g) for g in goals]).repeat_interleave(config.restarts, dim=0)
        self._step_aims = _draw_batches(goals, config, generators)
        self._restarts = config.restarts
        self._at = torch.zeros(1, dtype=torch.long, device=device)  # steps done
        self.best_scores = torch.full(
            (len(start),), -torch.inf, device=device, dtype=table.rows.dtype
        )
        self.best_rows = start
        captured = capture and device.type == "cuda"
        self._run: Step = Captured(self._advance) if captured else self._advance

    @torch.inference_mode(False)
    def step(self) -> None:
        """One step of Algorithm 1 for every prompt."""
        self._run()

    def _advance(self) -> None:
        """The step on tensors that stay in their places, the number of the step among them."""
        rows = self._table.nearest(self._embeddings)  # (N, n)
        hard = self._table.rows[rows].requires_grad_()  # (N, n, D)
        features = self._slots.features(hard)  # (N, E)
        scores = (features * self._aims).sum(dim=-1)
        loss = 1 - scores
        if self._step_aims is not None:
            aims = self._step_aims[self._at][0].repeat_interleave(self._restarts, dim=0)
            loss = 1 - (features * aims).sum(dim=-1)
        # The prompts do not touch each other, so the gradient of the sum is that of each.
        (gradient,) = torch.autograd.grad(loss.sum(), hard)
        self._optimizer.step(gradient)
        self._at += 1
        better = scores.detach() > self.best_scores
        self.best_scores.copy_(torch.where(better, scores.detach(), self.best_scores))
        self.best_rows.copy_(torch.where(better[:, None], rows, self.best_rows))


def _draw_batches(
    goals: Sequence[Targets], config: SearchConfig, generators: Sequence[torch.Generator]
) -> Tensor | None:
    """The aims of every step's mini-batches, (steps, G, E); None where each step uses all."""
    size = config.batch_size
    if size is None or all(size >= len(goal) for goal in goals):
        return None
    aims = []
    for goal, generator in zip(goals, generators, strict=True):
        if size >= len(goal):
            aims.append(aim(goal).expand(config.steps, -1))
            continue
        draws = [torch.randperm(len(goal), generator=generator) for _ in range(config.steps)]
        device = goal.features.device
        aims.append(torch.stack([aim(goal, draw[:size].to(device)) for draw in draws]))
    return torch.stack(aims, dim=1)
