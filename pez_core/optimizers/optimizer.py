"""What all optimisers share: a population of prompts, their targets, and the best so far."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..captured import Captured, Step
from ..config import SearchConfig
from ..fluency import Fluency
from ..objective import Penalty, aim, worth
from ..projection import TokenTable
from ..slots import Slots
from ..targets import Targets
from ..text_tower import Tower


class Reading(NamedTuple):
    """What a forward and a backward say of N prompts.

    scores: (N,) their similarities, less their penalty. goals: (N,) the same with the mini-batches
    of this step, what the gradient is of. gradient: (N, n, D) of the losses, 1 - goals.
    """

    scores: Tensor
    goals: Tensor
    gradient: Tensor


class Optimizer(ABC):
    """N prompts of n learned tokens, moved together: `config.restarts` for each of G goals, one
    goal behind the other.

    best_scores: (N,) the best score of each prompt so far. best_rows: (N, n) its tokens, as
    rows of the table. captures: whether a step may be recorded as a CUDA graph: it reads and writes
    the same tensors each time, and waits for nothing.
    """

    captures = True

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
        fluency: Fluency | None = None,
        penalty: Penalty | None = None,
    ) -> None:
        """layout: (L,) token ids with -1 where a token is learned.

        generators: one for each goal, on the CPU, the only source of randomness: a goal draws from
        its own, so it moves as if it were alone. capture: on a GPU, run the steps as a CUDA graph.
        fluency: what counts beside the similarity, for those that move by it. penalty: is taken off
        the similarity; it may not wait for the device.
        """
        self._table, self._config, self._fluency = table, config, fluency
        self._generators, self._device = generators, table.rows.device
        self._slots, self._penalty = Slots(tower, layout), penalty
        shape = (config.restarts, self._slots.count)
        self._start = self._draw(lambda g: torch.randint(len(table.ids), shape, generator=g))
        # A row for every prompt, (N, E); with mini-batches one for every step too, (steps, G, E).
        self._aims = torch.stack([aim(g) for g in goals]).repeat_interleave(config.restarts, dim=0)
        self._step_aims = _draw_batches(goals, config, generators)
        self._restarts = config.restarts
        self._at = torch.zeros(1, dtype=torch.long, device=self._device)  # steps done
        self.best_scores = torch.full(
            (len(self._start),), -torch.inf, device=self._device, dtype=table.rows.dtype
        )
        self.best_rows = self._start.clone()
        self._prepare()
        captured = capture and self.captures and self._device.type == "cuda"
        self._run: Step = Captured(self._step) if captured else self._step

    @torch.inference_mode(False)
    def step(self) -> None:
        """One step of every prompt."""
        self._run()

    @abstractmethod
    def _prepare(self) -> None:
        """Makes the state that the steps change."""

    @abstractmethod
    def _advance(self) -> None:
        """The step on tensors that stay in their places."""

    def _step(self) -> None:
        self._advance()
        self._at += 1

    def _read(self, embeddings: Tensor) -> Reading:
        """Scores and gradient at embeddings, (N, n, D)."""
        leaf = embeddings.detach().requires_grad_()
        features = self._slots.features(leaf)  # (N, E)
        scores = worth(features, self._aims, self._penalty)
        batched = self._step_aims is not None
        goals = worth(features, self._aims_now(), self._penalty) if batched else scores
        # The prompts do not touch each other, so the gradient of the sum is that of each.
        (gradient,) = torch.autograd.grad((1 - goals).sum(), leaf)
        return Reading(scores.detach(), goals.detach(), gradient)

    def _aims_now(self) -> Tensor:
        """The aims of this step, (N, E): those of its mini-batches where there are any."""
        if self._step_aims is None:
            return self._aims
        return self._step_aims[self._at][0].repeat_interleave(self._restarts, dim=0)

    def _keep(self, scores: Tensor, rows: Tensor) -> None:
        """Takes over what is better than the best so far. scores: (N,); rows: (N, n)."""
        better = scores > self.best_scores
        self.best_scores.copy_(torch.where(better, scores, self.best_scores))
        self.best_rows.copy_(torch.where(better[:, None], rows, self.best_rows))

    def _draw(self, draw: Callable[[torch.Generator], Tensor], dim: int = 0) -> Tensor:
        """What every goal draws from its own generator, side by side along a dimension."""
        return torch.cat([draw(generator) for generator in self._generators], dim).to(self._device)


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
