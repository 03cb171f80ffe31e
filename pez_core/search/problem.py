"""The questions of the search loop: what moves prompts, and what the score of a text is.

The loop (`search_loop`) moves prompts in rounds within a budget and knows them as indices into a
token table. A `Problem` says the rest. Its objective proposes prompts; its `score` is that of a
text, and only that leaves the search. CLIP's problem is `searcher.Searcher`; those of a sentence
encoder and of a language model are in `language_model`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor

from ..clip.text_tower import Tower
from ..config import SearchConfig
from ..errors import PezError, TargetError
from ..prompt import Candidate, LearnedPrompt
from ..targets import Targets, mean_target
from .best_tracker import BestTracker, Lineage, Scored
from .fluency import Fluency
from .objective import Cosine, Objective, Penalty
from .optimizers import OPTIMIZERS, Optimizer
from .progress import Callback, StepInfo
from .projection import TokenTable
from .refine import Refine
from .state import Search

G = TypeVar("G")  # a goal: what one search is for
R = TypeVar("R")  # the result of one search


class Problem(ABC, Generic[G, R]):
    """The settings, tables and models that the searches of a batch share.

    table: the tokens that may be learned. update_every: steps between two updates of the best; each
    waits for the device, and 5 steps of ViT-L-14 take 8 ms on a GPU. shows_at_once: whether one
    follows the very first step, too, so that words are seen. captures: whether a step may be
    recorded as a CUDA graph. tracker_type: what keeps the best prompts.
    """

    config: SearchConfig
    table: TokenTable
    update_every: int = 5
    shows_at_once: ClassVar[bool] = False
    captures: bool = True
    tracker_type: type[BestTracker] = BestTracker

    @property
    @abstractmethod
    def count(self) -> int:
        """How many tokens a prompt learns."""

    @property
    def fluency(self) -> Fluency | None:
        """Added to the objective's scores."""
        return None

    @abstractmethod
    def generator(self) -> torch.Generator:
        """The source of randomness of one search, on the CPU."""

    def check(self, goal: G) -> None:  # noqa: B027
        """Raises PezError for a goal that does not fit."""

    @abstractmethod
    def objective(self, goals: Sequence[G]) -> Objective:
        """What moves the prompts of all goals, one goal after the other."""

    @abstractmethod
    def text(self, ids: Sequence[int]) -> str | None:
        """The text of learned token ids, or None if it must not be returned."""

    def survives(self, ids: Sequence[int], text: str) -> bool:
        """Whether the text is read as the ids it was made of, and so has their score. If not, it is
        scored as text."""
        return False

    @abstractmethod
    def score(self, goal: G, texts: Sequence[str]) -> Sequence[Scored]:
        """The candidate and the value of each text."""

    @abstractmethod
    def notify(self, search: Search, phase: str) -> bool | None:
        """Calls the user's callback, if any. phase: "pez" or "refine". False stops the search."""

    @abstractmethod
    def result(self, search: Search) -> R | PezError:
        """What an ended search returns."""

    def optimizer(self, searches: Sequence[Search]) -> Optimizer:
        """The optimiser of one round of all searches."""
        objective = self.objective([search.goal for search in searches])
        generators = [search.generator for search in searches]
        kind = OPTIMIZERS[self.config.optimizer]
        return kind(objective, self.table, self.config, generators, fluency=self.fluency)

    def reached(self, optimizer: Optimizer, searches: int) -> tuple[list[list[float]], Tensor]:
        """The best scores and token indices of each search. → S times (R), (S, R, n)"""
        scores, best = optimizer.best_scores, optimizer.best_token_indices
        if self.fluency is not None:
            scores = scores + self.fluency.scores(best)
        return scores.view(searches, -1).tolist(), best.view(searches, -1, best.shape[1])

    def refinement(
        self, chosen: Sequence[tuple[Search, Lineage]], check_interrupt: Callable[[], None]
    ) -> Refine:
        """What improves the best prompts of a round; asked for only with `config.refine`."""
        raise NotImplementedError


class TowerProblem(Problem[Targets, LearnedPrompt]):
    """Prompts whose feature, by a text tower, is similar to targets.

    tower: in the precision of the search.
    """

    tower: Tower
    seed: int
    callback: Callback | None
    refine_type: ClassVar[type[Refine]] = Refine

    @property
    @abstractmethod
    def layout(self) -> Tensor:
        """(L,) token ids with -1 where a token is learned."""

    @property
    def penalty(self) -> Penalty | None:
        """Taken off the similarity of features."""
        return None

    @property
    def permits(self) -> Callable[[Tensor], Tensor] | None:
        """Which prompts may be returned, see `Refine`."""
        return None

    def check(self, goal: Targets) -> None:
        if goal.features.shape[1] != self.tower.embed_dim:
            raise TargetError(
                f"the targets have {goal.features.shape[1]} dimensions and the text tower "
                f"{self.tower.embed_dim}: make them with the same model"
            )

    @property
    def count(self) -> int:
        return int((self.layout < 0).sum())

    def generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed)

    def objective(self, goals: Sequence[Targets]) -> Cosine:
        return Cosine(self.tower, self.layout, goals, self.penalty)

    def refinement(
        self,
        chosen: Sequence[tuple[Search, Lineage]],
        check_interrupt: Callable[[], None],
    ) -> Refine:
        means = torch.stack([mean_target(search.goal) for search, _ in chosen])
        start = torch.stack([lineage.token_indices for _, lineage in chosen])
        return self.refine_type(
            self.tower, self.table, self.layout, means, start, swaps=self.config.swaps,
            fluency=self.fluency, penalty=self.penalty, permits=self.permits,
            check_interrupt=check_interrupt,
        )  # fmt: skip

    def notify(self, search: Search, phase: str) -> bool | None:
        if self.callback is None:
            return None
        step, total = search.step, search.step + search.expected
        best = search.tracker.best
        return self.callback(StepInfo(step, total, search.seconds, phase, best, search.number))

    def learned(
        self,
        search: Search,
        candidates: Sequence[Candidate],
        model: str,
        settings: dict[str, Any],
    ) -> LearnedPrompt:
        """The result with these candidates. settings: more entries for its `settings`."""
        found = search.tracker.history
        return LearnedPrompt(
            candidates=tuple(candidates[: self.config.candidates]),
            history=tuple((step, seconds, best.similarity) for step, seconds, best in found),
            steps=search.step,
            seconds=search.seconds,
            stopped=search.stopped,
            seed=self.seed,
            model=model,
            settings=settings,
        )
