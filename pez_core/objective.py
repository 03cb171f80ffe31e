"""How good a prompt is, and what moves it: the protocol of an objective, and CLIP's, the weighted
mean cosine of a prompt's feature with the targets (paper §4: 1 - S is the loss).

The optimisers know an objective only; a language model's is `language_model.label_loss`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from .config import SearchConfig
from .slots import Slots
from .targets import Targets
from .text_tower import Tower


def weighted_similarity(features: Tensor, targets: Targets, rows: Tensor | None = None) -> Tensor:
    """Σ wᵢ·cos(f, tᵢ) / Σ |wᵢ|, between -1 and 1; with one positive target the plain cosine.

    features: (R, E) at unit length. rows: the targets of a mini-batch, all of them if left out. →
    (R,)
    """
    return features @ aim(targets, rows)


def aim(targets: Targets, rows: Tensor | None = None) -> Tensor:
    """The vector whose dot product with a unit feature is its weighted similarity, (E,)."""
    target, weights = targets.features, targets.weights
    if rows is not None:
        target, weights = target[rows], weights[rows]
    # A mini-batch may hold only targets of weight 0: its similarity is then 0, not 0/0.
    scale = weights.abs().sum().clamp_min(1e-12)
    return (weights @ target) / scale


class Reading(NamedTuple):
    """What a forward and a backward say of N prompts.

    scores: (N,) how good they are. goals: (N,) the same with the mini-batches of this step, what
    the gradient is of. gradient: (N, n, D) of the losses, which fall as the goals rise.
    """

    scores: Tensor
    goals: Tensor
    gradient: Tensor


class Objective(Protocol):
    """What a population of prompts is moved for.

    count: how many tokens of a prompt are learned. step, below, is (1,) on the device: the number
    of steps done.
    """

    count: int

    def begin(self, config: SearchConfig, generators: Sequence[torch.Generator]) -> None:
        """Draws the mini-batches of all steps. generators: one for each goal, on the CPU."""

    def read(self, embeddings: Tensor, step: Tensor) -> Reading:
        """Scores, goals and gradient of every prompt. embeddings: (N, n, D)"""

    def scores(self, trials: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        """Scores and goals of K trials of every prompt, without a gradient. trials: (N, K, n, D) →
        (N, K) each."""


class Cosine:
    """CLIP's objective: `restarts` prompts for each of G goals, one goal behind the other."""

    @torch.inference_mode(False)
    def __init__(self, tower: Tower, layout: Tensor, goals: Sequence[Targets]) -> None:
        """layout: (L,) token ids with -1 where a token is learned."""
        self._slots, self._goals = Slots(tower, layout), goals
        self.count = self._slots.count

    def begin(self, config: SearchConfig, generators: Sequence[torch.Generator]) -> None:
        self._restarts = config.restarts
        # A row for every prompt, (N, E); with mini-batches one for every step too, (steps, G, E).
        aims = torch.stack([aim(goal) for goal in self._goals])
        self._aims = aims.repeat_interleave(config.restarts, dim=0)
        self._step_aims = _draw_batches(self._goals, config, generators)

    def read(self, embeddings: Tensor, step: Tensor) -> Reading:
        leaf = embeddings.detach().requires_grad_()
        features = self._slots.features(leaf)  # (N, E)
        scores = (features * self._aims).sum(dim=-1)
        goals = scores
        if self._step_aims is not None:
            goals = (features * self._aims_now(step)).sum(dim=-1)
        # The prompts do not touch each other, so the gradient of the sum is that of each.
        (gradient,) = torch.autograd.grad((1 - goals).sum(), leaf)
        return Reading(scores.detach(), goals.detach(), gradient)

    @torch.no_grad()
    def scores(self, trials: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        features = self._slots.features(trials.flatten(0, 1)).view(*trials.shape[:2], -1)
        goals = (features * self._aims_now(step)[:, None]).sum(dim=-1)
        return (features * self._aims[:, None]).sum(dim=-1), goals

    def _aims_now(self, step: Tensor) -> Tensor:
        """The aims of a step, (N, E): those of its mini-batches where there are any."""
        if self._step_aims is None:
            return self._aims
        return self._step_aims[step][0].repeat_interleave(self._restarts, dim=0)


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
