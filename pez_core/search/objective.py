"""How good a prompt is, and what moves it: the protocol of an objective, and CLIP's, the weighted
mean cosine of a prompt's feature with the targets (paper §4: 1 - S is the loss).

The optimisers know an objective only; a language model's is `language_model.label_loss`.
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

Penalty = Callable[[Tensor], Tensor]  # unit features (…, E) → (…), to be taken off a similarity


def worth(features: Tensor, aims: Tensor, penalty: Penalty | None = None) -> Tensor:
    """What a search goes by: the weighted similarity, less what the features are fined.

    features: (…, E) at unit length; aims: those of `aim`, of a shape that broadcasts → (…)
    """
    similarity = (features * aims).sum(dim=-1)
    return similarity if penalty is None else similarity - penalty(features)


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
    def __init__(
        self,
        tower: Tower,
        layout: Tensor,
        goals: Sequence[Targets],
        penalty: Penalty | None = None,
    ) -> None:
        """layout: (L,) token ids with -1 where a token is learned. penalty: is taken off the
        similarity; it may not wait for the device."""
        self._slots, self._goals, self._penalty = Slots(tower, layout), goals, penalty
        self.count = self._slots.count

    def begin(self, config: SearchConfig, generators: Sequence[torch.Generator]) -> None:
        self._restarts = config.restarts
        # A row for every prompt, (N, E); with mini-batches one for every step too, (steps, G, E).
        aims = torch.stack([mean_target(goal) for goal in self._goals])
        self._aims = aims.repeat_interleave(config.restarts, dim=0)
        self._step_aims = _draw_batches(self._goals, config, generators)

    def read(self, embeddings: Tensor, step: Tensor) -> Reading:
        leaf = embeddings.detach().requires_grad_()
        features = self._slots.features(leaf)  # (N, E)
        scores = worth(features, self._aims, self._penalty)
        goals = scores
        if self._step_aims is not None:
            goals = worth(features, self._aims_now(step), self._penalty)
        # The prompts do not touch each other, so the gradient of the sum is that of each.
        (gradient,) = torch.autograd.grad((1 - goals).sum(), leaf)
        return Reading(scores.detach(), goals.detach(), gradient)

    @torch.no_grad()
    def scores(self, trials: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        features = self._slots.features(trials.flatten(0, 1)).view(*trials.shape[:2], -1)
        goals = worth(features, self._aims_now(step)[:, None], self._penalty)
        return worth(features, self._aims[:, None], self._penalty), goals

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
            aims.append(mean_target(goal).expand(config.steps, -1))
            continue
        draws = [torch.randperm(len(goal), generator=generator) for _ in range(config.steps)]
        device = goal.features.device
        aims.append(torch.stack([mean_target(goal, draw[:size].to(device)) for draw in draws]))
    return torch.stack(aims, dim=1)
