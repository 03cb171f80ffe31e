"""How good a prompt is, and the gradient that moves it: the protocol, and CLIP's objective.

CLIP's objective is the weighted mean cosine S of a prompt's feature with the targets; the loss is
1 - S (arXiv 2302.03668 §4). A language model's objective is `language_model.label_loss`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from ..clip.text_tower import Tower
from ..config import SearchConfig
from ..targets import Targets, mean_target
from .slots import Slots

Penalty = Callable[[Tensor], Tensor]  # unit features (…, E) → (…), taken off the similarity


def objective_value(
    features: Tensor, mean_targets: Tensor, penalty: Penalty | None = None
) -> Tensor:
    """What a search maximises: the weighted similarity, less the penalty.

    features: (…, E) at unit length; mean_targets: of a shape that broadcasts, see
    `targets.mean_target` → (…)
    """
    similarity = (features * mean_targets).sum(dim=-1)
    return similarity if penalty is None else similarity - penalty(features)


class Evaluation(NamedTuple):
    """The result of one forward and one backward pass over N prompts.

    scores: (N,) with all targets. goals: (N,) with the mini-batches of this step. gradient:
    (N, n, D) of the losses, 1 - goals or the like.
    """

    scores: Tensor
    goals: Tensor
    gradient: Tensor


class Objective(Protocol):
    """What a population of prompts is optimised for.

    count: how many tokens of a prompt are learned. The argument `step` is (1,), on the device: the
    number of steps done.
    """

    count: int

    def draw_batches(self, config: SearchConfig, generators: Sequence[torch.Generator]) -> None:
        """Draws the mini-batches of all steps. generators: one for each goal, on the CPU."""

    def evaluate(self, embeddings: Tensor, step: Tensor) -> Evaluation:
        """Scores, goals and gradient of every prompt. embeddings: (N, n, D)"""

    def scores(self, trials: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        """Scores and goals of K trials of every prompt, without a gradient. trials: (N, K, n, D) →
        (N, K) each."""


class Cosine:
    """CLIP's objective: `restarts` prompts for each of G goals, one goal after the other."""

    @torch.inference_mode(False)
    def __init__(
        self,
        tower: Tower,
        layout: Tensor,
        goals: Sequence[Targets],
        penalty: Penalty | None = None,
    ) -> None:
        """layout: (L,) token ids with -1 where a token is learned. penalty: taken off the
        similarity; it must not wait for the device."""
        self._slots, self._goals, self._penalty = Slots(tower, layout), goals, penalty
        self.count = self._slots.count

    def draw_batches(self, config: SearchConfig, generators: Sequence[torch.Generator]) -> None:
        self._restarts = config.restarts
        # A row for every prompt, (N, E); with mini-batches one for every step too, (steps, G, E).
        means = torch.stack([mean_target(goal) for goal in self._goals])
        self._means = means.repeat_interleave(config.restarts, dim=0)
        self._step_means = _draw_batches(self._goals, config, generators)

    def evaluate(self, embeddings: Tensor, step: Tensor) -> Evaluation:
        leaf = embeddings.detach().requires_grad_()
        features = self._slots.features(leaf)  # (N, E)
        scores = objective_value(features, self._means, self._penalty)
        goals = scores
        if self._step_means is not None:
            goals = objective_value(features, self._means_now(step), self._penalty)
        # The prompts do not touch each other, so the gradient of the sum is that of each.
        (gradient,) = torch.autograd.grad((1 - goals).sum(), leaf)
        return Evaluation(scores.detach(), goals.detach(), gradient)

    @torch.no_grad()
    def scores(self, trials: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        features = self._slots.features(trials.flatten(0, 1)).view(*trials.shape[:2], -1)
        goals = objective_value(features, self._means_now(step)[:, None], self._penalty)
        return objective_value(features, self._means[:, None], self._penalty), goals

    def _means_now(self, step: Tensor) -> Tensor:
        """The mean targets of a step, (N, E): those of its mini-batches, if there are any."""
        if self._step_means is None:
            return self._means
        return self._step_means[step][0].repeat_interleave(self._restarts, dim=0)


def _draw_batches(
    goals: Sequence[Targets], config: SearchConfig, generators: Sequence[torch.Generator]
) -> Tensor | None:
    """The mean targets of every step's mini-batches, (steps, G, E); None if each step uses all."""
    size = config.batch_size
    if size is None or all(size >= len(goal) for goal in goals):
        return None
    means = []
    for goal, generator in zip(goals, generators, strict=True):
        if size >= len(goal):
            means.append(mean_target(goal).expand(config.steps, -1))
            continue
        draws = [torch.randperm(len(goal), generator=generator) for _ in range(config.steps)]
        device = goal.features.device
        means.append(torch.stack([mean_target(goal, draw[:size].to(device)) for draw in draws]))
    return torch.stack(means, dim=1)
