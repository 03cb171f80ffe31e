"""Refinement: better prompts by swapping single tokens, from a candidate that PEZ has found.

The gradient at the hard prompt says by how much each token of the table would change the score to
first order (HotFlip, arXiv 1712.06751; AutoPrompt, arXiv 2010.15980). The most promising swaps of
every position are scored in one batch, and the best is taken. When none helps, more swaps are
tried; when those do not help either, it is done.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .linear import product
from .objective import weighted_similarity
from .projection import TokenTable
from .slots import Slots
from .targets import Targets
from .text_tower import Tower, nothing

WIDENING = 4  # by how much the number of swaps grows when none has helped
WIDEST = 4  # and up to how many times the first number
LEAST_GAIN = 1e-6  # a smaller gain is rounding
# Values of one layer in one pass over trials. This many fill a GPU, in 0.2 GB; on a CPU fewer are
# as fast and let a user's stop be heard, 0.3 s apart on ViT-L-14.
ON_GPU, ON_CPU = 2**22, 2**19


class Refine:
    """Improves one prompt, a swap a step.

    score: its similarity. rows: (n,) its tokens, as rows of the table.
    done: no swap that was tried helps any more.
    """

    @torch.inference_mode(False)
    def __init__(
        self,
        tower: Tower,
        table: TokenTable,
        layout: Tensor,
        targets: Targets,
        rows: Tensor,
        *,
        swaps: int,
        permits: Callable[[Tensor], Tensor] | None = None,
        tick: Callable[[], None] = nothing,
    ) -> None:
        """rows: (n,) where to start. swaps: tokens tried per position.

        permits: which of some prompts may be handed out, (N, n) rows → (N,) bool; all of them if
        left out. tick: called between the passes of a step, which may be long.
        """
        width = len(layout) * tower.token_embedding.shape[1]
        most = ON_CPU if tower.device.type == "cpu" else ON_GPU
        self._at_once, self._tick = max(32, most // width), tick
        self._table, self._targets, self._permits = table, targets, permits
        self._slots = Slots(tower, layout)
        self._swaps = self._first_swaps = swaps
        self.rows = rows.clone()
        self.score = -float("inf")
        self.done = False

    @torch.inference_mode(False)
    def step(self) -> None:
        """One gradient, one batch of swaps; takes the best of them or widens the choice."""
        trials = self._trials()  # (N, n)
        if self._permits is not None:
            trials = trials[self._permits(trials)]
            if not bool(self._permits(self.rows[None])):
                self.score = -float("inf")  # it may not be handed out: any that may is better
        if len(trials):
            best, index = self._score(trials).max(dim=0)
            if best.item() > self.score + LEAST_GAIN:
                self.rows, self.score = trials[index], best.item()
                self._swaps = self._first_swaps
                return
        tried_all = self._swaps >= len(self._table.ids) - 1
        self._swaps *= WIDENING
        self.done = tried_all or self._swaps > self._first_swaps * WIDEST

    def _trials(self) -> Tensor:
        """The prompts with one token swapped that promise most, all positions alike: (n·k, n)."""
        hard = self._table.rows[self.rows][None].requires_grad_()  # (1, n, D)
        score = weighted_similarity(self._slots.features(hard), self._targets)
        (gradient,) = torch.autograd.grad(score.sum(), hard)
        self.score = score.item()
        # (n, A), short of the gain of the present token, which is one number for a whole line.
        gains = product(gradient[0], self._table.rows)
        gains.scatter_(1, self.rows[:, None], -torch.inf)
        length = len(self.rows)
        count = min(self._swaps, gains.shape[1] - 1)
        tokens = gains.topk(count, dim=1).indices  # (n, k)
        trials = self.rows.repeat(length, count, 1)  # (n, k, n)
        position = torch.arange(length, device=tokens.device)
        trials[position, :, position] = tokens
        return trials.view(length * count, length)

    @torch.no_grad()
    def _score(self, rows: Tensor) -> Tensor:
        """Similarities of prompts, (N, n) → (N,), in passes that bound the memory."""
        features: list[Tensor] = []
        for batch in torch.split(rows, self._at_once):
            if features:
                self._tick()
            features.append(self._slots.features(self._table.rows[batch]))
        return weighted_similarity(torch.cat(features), self._targets)
