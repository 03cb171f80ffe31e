"""What all optimisers share: a population of prompts, what they are for, and the best so far."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ...config import SearchConfig
from ...errors import SearchError
from ..cuda_graph import Captured, Step
from ..fluency import Fluency
from ..objective import Objective, Reading
from ..projection import TokenTable


class Optimizer(ABC):
    """N prompts of n learned tokens, moved together: `config.restarts` for each of G goals, one
    goal behind the other.

    rows: (N, n) the tokens of each prompt at its last score, as rows of the table. best_scores:
    (N,) the best score of each prompt so far. best_rows: (N, n) its tokens. captures: whether a
    step may be recorded as a CUDA graph: it reads and writes the same tensors each time, and waits
    for nothing. unfinished: why there is no prompt before the last step, empty where there is one.
    """

    captures = True
    unfinished = ""

    @classmethod
    def has_nothing(cls, steps: int) -> SearchError:
        """The error of a search that was ended after so many steps by an unfinished optimiser."""
        return SearchError(
            f"the search was ended after {steps} steps, and {cls.unfinished}: give it fewer steps "
            "or more seconds"
        )

    @torch.inference_mode(False)
    def __init__(
        self,
        objective: Objective,
        table: TokenTable,
        config: SearchConfig,
        generators: Sequence[torch.Generator],
        *,
        capture: bool = True,
        fluency: Fluency | None = None,
    ) -> None:
        """generators: one for each goal, on the CPU, the only source of randomness: a goal draws
        from its own, so it moves as if it were alone. capture: on a GPU, run the steps as a CUDA
        graph. fluency: what counts beside the objective, for those that move by it.
        """
        self._objective, self._table = objective, table
        self._config, self._fluency = config, fluency
        self._generators, self._device = generators, table.rows.device
        self._restarts = config.restarts
        shape = (config.restarts, objective.count)
        self._start = self._draw(lambda g: torch.randint(len(table.ids), shape, generator=g))
        objective.begin(config, generators)
        self._at = torch.zeros(1, dtype=torch.long, device=self._device)  # steps done
        self.best_scores = torch.full(
            (len(self._start),), -torch.inf, device=self._device, dtype=table.rows.dtype
        )
        self.rows, self.best_rows = self._start.clone(), self._start.clone()
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
        return self._objective.read(embeddings, self._at)

    def _keep(self, scores: Tensor, rows: Tensor) -> None:
        """Takes over what is better than the best so far. scores: (N,); rows: (N, n)."""
        self.rows.copy_(rows)
        better = scores > self.best_scores
        self.best_scores.copy_(torch.where(better, scores, self.best_scores))
        self.best_rows.copy_(torch.where(better[:, None], rows, self.best_rows))

    def _draw(self, draw: Callable[[torch.Generator], Tensor], dim: int = 0) -> Tensor:
        """What every goal draws from its own generator, side by side along a dimension."""
        return torch.cat([draw(generator) for generator in self._generators], dim).to(self._device)
