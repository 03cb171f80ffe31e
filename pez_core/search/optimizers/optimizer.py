"""The base class of the optimisers: a population of prompts, its objective, and the best so far."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ...config import SearchConfig
from ...errors import SearchError
from ..fluency import Fluency
from ..objective import Evaluation, Objective
from ..projection import TokenTable


class Optimizer(ABC):
    """N prompts of n learned tokens that move together. Each of G goals has `config.restarts`
    consecutive prompts.

    token_indices: (N, n) each prompt at its last score, as indices into the table.
    best_scores: (N,) the best score of each prompt so far.
    best_token_indices: (N, n) the prompts with these scores.
    captures: whether a CUDA graph can record a step. Such a step reads and writes the same tensors
    each time and does not wait for the device.
    unfinished: why there is no prompt before the last step; empty if there is one.
    """

    captures = True
    unfinished = ""

    @classmethod
    def has_nothing(cls, steps: int) -> SearchError:
        """The error of a search that ended before the optimiser had a prompt."""
        return SearchError(
            f"the search ended after {steps} steps, and {cls.unfinished}: give it fewer steps or "
            "more seconds"
        )

    @torch.inference_mode(False)
    def __init__(
        self,
        objective: Objective,
        table: TokenTable,
        config: SearchConfig,
        generators: Sequence[torch.Generator],
        *,
        fluency: Fluency | None = None,
    ) -> None:
        """generators: one for each goal, on the CPU. They are the only source of randomness. A
        goal draws only from its own generator, so its prompts move as if it were alone.
        fluency: the optimisers that support it add it to the objective.
        """
        self._objective, self._table = objective, table
        self._config, self._fluency = config, fluency
        self._generators, self._device = generators, table.embeddings.device
        self._restarts = config.restarts
        shape = (config.restarts, objective.count)
        self._start = self._draw(lambda g: torch.randint(len(table.ids), shape, generator=g))
        objective.draw_batches(config, generators)
        self._at = torch.zeros(1, dtype=torch.long, device=self._device)  # steps done
        self.best_scores = torch.full(
            (len(self._start),), -torch.inf, device=self._device, dtype=table.embeddings.dtype
        )
        self.token_indices, self.best_token_indices = self._start.clone(), self._start.clone()
        self._prepare()

    @torch.inference_mode(False)
    def step(self) -> None:
        """Moves every prompt by one step. Changes are made in place."""
        self._advance()
        self._at += 1

    @abstractmethod
    def _prepare(self) -> None:
        """Creates the state that the steps change."""

    @abstractmethod
    def _advance(self) -> None:
        """One step, on tensors that stay at their addresses."""

    def _evaluate(self, embeddings: Tensor) -> Evaluation:
        """Scores and gradient at embeddings, (N, n, D)."""
        return self._objective.evaluate(embeddings, self._at)

    def _keep(self, scores: Tensor, token_indices: Tensor) -> None:
        """Keeps each prompt that is better than its best so far. scores: (N,). token_indices:
        (N, n)."""
        self.token_indices.copy_(token_indices)
        better = scores > self.best_scores
        self.best_scores.copy_(torch.where(better, scores, self.best_scores))
        self.best_token_indices.copy_(
            torch.where(better[:, None], token_indices, self.best_token_indices)
        )

    def _draw(self, draw: Callable[[torch.Generator], Tensor], dim: int = 0) -> Tensor:
        """The draws of all goals, each from its own generator, joined along a dimension."""
        return torch.cat([draw(generator) for generator in self._generators], dim).to(self._device)
