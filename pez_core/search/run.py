"""One search: its board, its place in the rounds, its share of the time, and why it stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..clip.models import ClipModel
from ..config import SearchConfig
from ..errors import PezError, SearchError, TargetError
from ..guard.guard import Guard
from ..prompt import Candidate, LearnedPrompt
from ..targets import Targets
from ..text.template import Template
from ..text.vocabulary import TokenMask
from .best_tracker import Board
from .fluency import Fluency
from .objective import Penalty
from .optimizers import OPTIMIZERS
from .projection import TokenTable

LEAST_GAIN = 1e-4  # a round that gains less has met a plateau


@dataclass(frozen=True)
class StepInfo:
    """What a callback is told of one search.

    total: the steps if every round is run, those of refinement estimated. seconds: of this search;
    searches that run together share the time among them. number: which of several it is.
    """

    step: int
    total: int
    seconds: float
    phase: str  # "pez" | "refine"
    best: Candidate | None
    number: int = 0


Callback = Callable[[StepInfo], bool | None]


@dataclass(frozen=True)
class Setting:
    """What the searches of a group have in common."""

    model: ClipModel
    template: Template
    config: SearchConfig
    mask: TokenMask
    table: TokenTable
    seed: int
    callback: Callback | None
    fluency: Fluency | None  # beside the similarity
    settings: dict[str, Any]  # more entries for the results
    guard: Guard | None = None  # on the model's device

    @property
    def penalty(self) -> Penalty | None:
        """What is taken off the similarity of features while searching."""
        return None if self.guard is None else self.guard.penalty


class Search:
    """One search of a group.

    spent: seconds that were its own so far. stopped: why it ended, empty while it runs.
    """

    def __init__(
        self, setting: Setting, number: int, targets: Targets, share_time: Callable[[], None]
    ) -> None:
        """share_time: brings `spent` up to date.

        Raises TargetError when the targets belong to another model.
        """
        embed_dim = setting.model.tower.embed_dim
        if targets.features.shape[1] != embed_dim:
            raise TargetError(
                f"the targets have {targets.features.shape[1]} dimensions and the text tower "
                f"{embed_dim}: make them with the same model"
            )
        self._setting, self.number, self._share_time = setting, number, share_time
        self.targets = targets.to(setting.model.device)
        self.generator = torch.Generator().manual_seed(setting.seed)
        self.board = Board(
            setting.model, self.targets, setting.template, setting.mask, setting.table,
            setting.fluency, self._clock, setting.guard,
        )  # fmt: skip
        self.step = self.round = self._idle = 0
        # Steps to come if every round is run; a refinement swaps about every token once.
        config = setting.config
        self.expected = config.rounds * (config.steps + config.refine * setting.template.learned)
        self.spent = 0.0
        self._before = -float("inf")  # what the best was worth at the end of the round before
        self.stopped = ""

    @property
    def seconds(self) -> float:
        self._share_time()
        return self.spent

    def _clock(self) -> tuple[int, float]:
        return self.step, self.seconds

    def look(self, scores: list[float], rows: Tensor) -> None:
        """Takes over what its prompts of this round have reached."""
        self.board.look(self.round, scores, rows)

    def report(self, phase: str) -> None:
        """Tells the callback how far it is, and ends the search when it has to end."""
        if self._setting.callback is not None:
            total, best = self.step + self.expected, self.board.best
            info = StepInfo(self.step, total, self.seconds, phase, best, self.number)
            if self._setting.callback(info) is False:
                self.stopped = "user"
        limit = self._setting.config.seconds
        if limit is not None and not self.stopped and self.seconds >= limit:
            self.stopped = "seconds"

    def end_round(self) -> None:
        """Counts the round, and ends the search after the last or at a plateau."""
        config, worth = self._setting.config, self.board.worth
        self._idle = 0 if worth > self._before + LEAST_GAIN else self._idle + 1
        self._before = worth
        self.round += 1
        if config.patience is not None and self._idle >= config.patience:
            self.stopped = "plateau"
        elif self.round == config.rounds:
            self.stopped = "steps"

    def result(self) -> LearnedPrompt | PezError:
        """What it has found, or a SearchError when no text can be handed out."""
        setting, seconds = self._setting, self.seconds
        candidates = self.board.candidates(setting.config.candidates)
        optimizer = OPTIMIZERS[setting.config.optimizer]
        if not candidates and optimizer.unfinished and self.stopped != "steps":
            return optimizer.has_nothing(self.step)
        if not candidates:
            return SearchError(
                f"no prompt was found in {self.step} steps: every score was not a number, or every "
                "text held a banned word; try float32, more steps or fewer banned words"
            )
        return LearnedPrompt(
            candidates=candidates,
            history=tuple(self.board.history),
            steps=self.step,
            seconds=seconds,
            stopped=self.stopped,
            seed=setting.seed,
            model=setting.model.name,
            settings={
                "template": setting.template.text,
                **setting.config.to_json(),
                **setting.settings,
            },
        )
