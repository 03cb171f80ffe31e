"""Refinement: single tokens of a prompt are swapped until no swap makes it better.

The gradient at the hard prompt estimates the gain of each token of the table to first order
(HotFlip, arXiv 1712.06751; AutoPrompt, arXiv 2010.15980). The most promising swaps of every
position are scored in one batch, and the best is taken. When none helps, more swaps are tried; when
those do not help either, the prompt is done. Several prompts, of one search or of several, share
each pass through the tower.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..clip.text_tower import Tower, no_op
from ..compute.linear import product
from .fluency import Fluency
from .objective import Penalty, objective_value
from .projection import TokenTable
from .slots import Slots

WIDENING = 4  # the number of swaps grows by this factor when none helps
WIDEST = 4  # up to so many times the first number
LEAST_GAIN = 1e-6  # a smaller gain is rounding
# Values of one layer in one pass over trials. This many fill a GPU, in 0.2 GB; on a CPU fewer are
# as fast, and a user's stop is noticed after 0.3 s on ViT-L-14.
ON_GPU, ON_CPU = 2**22, 2**19


class Refine:
    """Improves P prompts, a swap of each a step.

    scores: their similarities, plus fluency, less penalty. token_indices: P times (n,), indices
    into the table. done: for each prompt, whether no swap helps any more; a caller may set it to
    leave a prompt as it is.
    """

    @torch.inference_mode(False)
    def __init__(
        self,
        tower: Tower,
        table: TokenTable,
        layout: Tensor,
        mean_targets: Tensor,
        token_indices: Tensor,
        *,
        swaps: int,
        fluency: Fluency | None = None,
        penalty: Penalty | None = None,
        permits: Callable[[Tensor], Tensor] | None = None,
        check_interrupt: Callable[[], None] = no_op,
    ) -> None:
        """mean_targets: (P, E), see `targets.mean_target`. token_indices: (P, n) the prompts to
        start from. swaps: tokens tried per position. fluency: added to the similarity. penalty:
        taken off it.

        permits: which prompts may be returned, (N, n) token indices → (N,) bool; all of them if
        left out. check_interrupt: called between the passes of a step, which may be long.
        """
        width = len(layout) * tower.token_embedding.shape[1]
        most = ON_CPU if tower.device.type == "cpu" else ON_GPU
        self._batch_size, self._check_interrupt = max(32, most // width), check_interrupt
        self._table, self._mean_targets = table, mean_targets
        self._fluency, self._permits = fluency, permits
        self._slots, self._penalty = Slots(tower, layout), penalty
        self._first_swaps = swaps
        self._swaps = [swaps] * len(token_indices)
        self.token_indices: list[Tensor] = list(token_indices.clone())
        self.scores = [-float("inf")] * len(token_indices)
        self.done = [False] * len(token_indices)

    @torch.inference_mode(False)
    def step(self) -> None:
        """One gradient, one batch of swaps; each prompt takes its best or widens its choice."""
        live = [prompt for prompt, done in enumerate(self.done) if not done]
        trials = []
        for prompt, gains in zip(live, self._gains(live), strict=True):
            trials.append(self._permitted(prompt, self._trials(prompt, gains)))
        counts = [len(t) for t in trials]
        owners = torch.tensor(live).repeat_interleave(torch.tensor(counts))
        scores = self._score(torch.cat(trials), owners.to(self._mean_targets.device))
        for prompt, tried, reached in zip(live, trials, scores.split(counts), strict=True):
            self._take_best(prompt, tried, reached)

    def _gains(self, live: list[int]) -> Tensor:
        """The first-order gain of each token in each place, (P, n, A), up to the gain of the
        present token, which is one number for a whole line."""
        token_indices = torch.stack([self.token_indices[prompt] for prompt in live])
        hard = self._table.embeddings[token_indices].requires_grad_()  # (P, n, D)
        scores = objective_value(
            self._slots.features(hard), self._mean_targets[live], self._penalty
        )
        (gradient,) = torch.autograd.grad(scores.sum(), hard)
        gains: Tensor = product(gradient.flatten(0, 1), self._table.embeddings).view(
            *token_indices.shape, -1
        )
        if self._fluency is not None:
            scores = scores + self._fluency.scores(token_indices)
            gains += self._fluency.changes(token_indices)
        # Never lower than when the swap was taken: half precision rounds a prompt differently in
        # another batch, and prompts that take turns at being the better one would go on for ever.
        for prompt, score in zip(live, scores.tolist(), strict=True):
            self.scores[prompt] = max(self.scores[prompt], score)
        gains.scatter_(2, token_indices[..., None], -torch.inf)
        return gains

    def _trials(self, prompt: int, gains: Tensor) -> Tensor:
        """The prompt with one token swapped: for each position the most promising ones.
        gains: (n, A) → (n·k, n)"""
        token_indices = self.token_indices[prompt]
        length, count = len(token_indices), min(self._swaps[prompt], gains.shape[1] - 1)
        tokens = gains.topk(count, dim=1).indices  # (n, k)
        trials = token_indices.repeat(length, count, 1)  # (n, k, n)
        position = torch.arange(length, device=tokens.device)
        trials[position, :, position] = tokens
        return trials.view(length * count, length)

    def _permitted(self, prompt: int, trials: Tensor) -> Tensor:
        if self._permits is None:
            return trials
        if not bool(self._permits(self.token_indices[prompt][None])):
            self.scores[prompt] = -float("inf")  # it must not be returned: any other is better
        return trials[self._permits(trials)]

    @torch.no_grad()
    def _score(self, token_indices: Tensor, owners: Tensor) -> Tensor:
        """The scores of trials, each with the mean target of its owner, in passes that bound the
        memory. (N, n), (N,) → (N,)"""
        scores: list[Tensor] = [self._mean_targets.new_empty(0)]
        for first in range(0, len(token_indices), self._batch_size):
            if first:
                self._check_interrupt()
            batch, owner = (t[first : first + self._batch_size] for t in (token_indices, owners))
            features = self._slots.features(self._table.embeddings[batch])
            scores.append(objective_value(features, self._mean_targets[owner], self._penalty))
            if self._fluency is not None:
                scores[-1] += self._fluency.scores(batch)
        return torch.cat(scores)

    def _take_best(self, prompt: int, trials: Tensor, scores: Tensor) -> None:
        if len(trials):
            best, index = scores.max(dim=0)
            if best.item() > self.scores[prompt] + LEAST_GAIN:
                self.token_indices[prompt], self.scores[prompt] = trials[index], best.item()
                self._swaps[prompt] = self._first_swaps
                return
        tried_all = self._swaps[prompt] >= len(self._table.ids) - 1
        self._swaps[prompt] *= WIDENING
        self.done[prompt] = tried_all or self._swaps[prompt] > self._first_swaps * WIDEST
