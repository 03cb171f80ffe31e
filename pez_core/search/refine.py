"""Refinement: better prompts by swapping single tokens, from candidates that PEZ has found.

The gradient at the hard prompt says by how much each token of the table would change the score to
first order (HotFlip, arXiv 1712.06751; AutoPrompt, arXiv 2010.15980). The most promising swaps of
every position are scored in one batch, and the best is taken. When none helps, more swaps are
tried; when those do not help either, it is done. Several prompts, of one search or of several,
share each pass through the tower.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..clip.text_tower import Tower, no_op
from ..compute.linear import product
from .fluency import Fluency
from .objective import Penalty, worth
from .projection import TokenTable
from .slots import Slots

WIDENING = 4  # by how much the number of swaps grows when none has helped
WIDEST = 4  # and up to how many times the first number
LEAST_GAIN = 1e-6  # a smaller gain is rounding
# Values of one layer in one pass over trials. This many fill a GPU, in 0.2 GB; on a CPU fewer are
# as fast and let a user's stop be heard, 0.3 s apart on ViT-L-14.
ON_GPU, ON_CPU = 2**22, 2**19


class Refine:
    """Improves P prompts, a swap of each a step.

    scores: their similarities, with fluency and penalty where those count. rows: P times (n,),
    their tokens, as rows of the table. done: for each, whether no swap that was tried helps any
    more; to set it leaves the prompt as it is.
    """

    @torch.inference_mode(False)
    def __init__(
        self,
        tower: Tower,
        table: TokenTable,
        layout: Tensor,
        aims: Tensor,
        rows: Tensor,
        *,
        swaps: int,
        fluency: Fluency | None = None,
        penalty: Penalty | None = None,
        permits: Callable[[Tensor], Tensor] | None = None,
        tick: Callable[[], None] = no_op,
    ) -> None:
        """aims: (P, E), see `objective.aim`. rows: (P, n) where to start. swaps: tokens tried per
        position. fluency: is added to the similarity. penalty: is taken off it.

        permits: which of some prompts may be handed out, (N, n) rows → (N,) bool; all of them if
        left out. tick: called between the passes of a step, which may be long.
        """
        width = len(layout) * tower.token_embedding.shape[1]
        most = ON_CPU if tower.device.type == "cpu" else ON_GPU
        self._at_once, self._tick = max(32, most // width), tick
        self._table, self._aims = table, aims
        self._fluency, self._permits = fluency, permits
        self._slots, self._penalty = Slots(tower, layout), penalty
        self._first_swaps = swaps
        self._swaps = [swaps] * len(rows)
        self.rows: list[Tensor] = list(rows.clone())
        self.scores = [-float("inf")] * len(rows)
        self.done = [False] * len(rows)

    @torch.inference_mode(False)
    def step(self) -> None:
        """One gradient, one batch of swaps; each prompt takes its best or widens its choice."""
        live = [prompt for prompt, done in enumerate(self.done) if not done]
        trials = []
        for prompt, gains in zip(live, self._gains(live), strict=True):
            trials.append(self._permitted(prompt, self._trials(prompt, gains)))
        counts = [len(t) for t in trials]
        owners = torch.tensor(live).repeat_interleave(torch.tensor(counts))
        scores = self._score(torch.cat(trials), owners.to(self._aims.device))
        for prompt, tried, reached in zip(live, trials, scores.split(counts), strict=True):
            self._take_best(prompt, tried, reached)

    def _gains(self, live: list[int]) -> Tensor:
        """By how much each token would raise the score in each place, to first order, (P, n, A);
        short of the gain of the present token, which is one number for a whole line."""
        rows = torch.stack([self.rows[prompt] for prompt in live])
        hard = self._table.rows[rows].requires_grad_()  # (P, n, D)
        scores = worth(self._slots.features(hard), self._aims[live], self._penalty)
        (gradient,) = torch.autograd.grad(scores.sum(), hard)
        gains: Tensor = product(gradient.flatten(0, 1), self._table.rows).view(*rows.shape, -1)
        if self._fluency is not None:
            scores = scores + self._fluency.scores(rows)
            gains += self._fluency.changes(rows)
        # Never lower than when the swap was taken: half precision rounds a prompt differently in
        # another batch, and prompts that take turns at being the better one would go on for ever.
        for prompt, score in zip(live, scores.tolist(), strict=True):
            self.scores[prompt] = max(self.scores[prompt], score)
        gains.scatter_(2, rows[..., None], -torch.inf)
        return gains

    def _trials(self, prompt: int, gains: Tensor) -> Tensor:
        """The prompt with one token swapped, as promises most, all positions alike: (n·k, n).
        gains: (n, A)."""
        rows = self.rows[prompt]
        length, count = len(rows), min(self._swaps[prompt], gains.shape[1] - 1)
        tokens = gains.topk(count, dim=1).indices  # (n, k)
        trials = rows.repeat(length, count, 1)  # (n, k, n)
        position = torch.arange(length, device=tokens.device)
        trials[position, :, position] = tokens
        return trials.view(length * count, length)

    def _permitted(self, prompt: int, trials: Tensor) -> Tensor:
        if self._permits is None:
            return trials
        if not bool(self._permits(self.rows[prompt][None])):
            self.scores[prompt] = -float("inf")  # it may not be handed out: any that may is better
        return trials[self._permits(trials)]

    @torch.no_grad()
    def _score(self, rows: Tensor, owners: Tensor) -> Tensor:
        """What trials are worth, each with the aim of its owner, in passes that bound the memory.
        (N, n), (N,) → (N,)"""
        scores: list[Tensor] = [self._aims.new_empty(0)]
        for first in range(0, len(rows), self._at_once):
            if first:
                self._tick()
            batch, owner = (t[first : first + self._at_once] for t in (rows, owners))
            features = self._slots.features(self._table.rows[batch])
            scores.append(worth(features, self._aims[owner], self._penalty))
            if self._fluency is not None:
                scores[-1] += self._fluency.scores(batch)
        return torch.cat(scores)

    def _take_best(self, prompt: int, trials: Tensor, scores: Tensor) -> None:
        if len(trials):
            best, index = scores.max(dim=0)
            if best.item() > self.scores[prompt] + LEAST_GAIN:
                self.rows[prompt], self.scores[prompt] = trials[index], best.item()
                self._swaps[prompt] = self._first_swaps
                return
        tried_all = self._swaps[prompt] >= len(self._table.ids) - 1
        self._swaps[prompt] *= WIDENING
        self.done[prompt] = tried_all or self._swaps[prompt] > self._first_swaps * WIDEST
