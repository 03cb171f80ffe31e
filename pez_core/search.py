"""`learn_prompt`: restarts, PEZ, refinement, ranking, and the reasons to stop.

It is anytime: the best prompt so far is always valid, so a callback, a time budget or a plateau
ends it at once with a result.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from .board import Board, Lineage
from .config import DEFAULT, SearchConfig
from .errors import ConfigError, SearchError, TargetError
from .models import ClipModel
from .optimizers import Pez
from .projection import token_table
from .prompt import Candidate, LearnedPrompt
from .refine import Refine
from .targets import Targets
from .template import parse_template
from .vocabulary import TokenMask, make_mask

# Steps between looks at the device: each look waits for it, and 5 steps of a GPU are 2 ms.
LOOK_EVERY = 5
LEAST_GAIN = 1e-4  # a round that gains less has met a plateau


@dataclass(frozen=True)
class StepInfo:
    """What a callback is told; total: the steps if every round is run, those of refinement
    estimated."""

    step: int
    total: int
    seconds: float
    phase: str  # "pez" | "refine"
    best: Candidate | None


Callback = Callable[[StepInfo], bool | None]


class _Stop(Exception):
    """Ends the search from within; its argument is the reason."""


@torch.inference_mode(False)  # where ComfyUI runs its nodes no gradient could be had
def learn_prompt(
    model: ClipModel,
    targets: Targets,
    template: str = "{8}",
    *,
    config: SearchConfig = DEFAULT,
    mask: TokenMask | None = None,
    seed: int = 0,
    callback: Callback | None = None,
    dtype: torch.dtype | None = None,
    settings: dict[str, Any] | None = None,
) -> LearnedPrompt:
    """The hard prompts that say best what the targets show: distinct candidates, best first.

    template: fixed words with slots, "{8}" is 8 learned tokens. mask: the tokens allowed; printable
    lower-case ASCII if left out. callback: called after every step, and within long ones; returning
    False stops with the best so far.
    dtype: of the tower's weights while searching (scores handed out are always those of float32).
    settings: more entries for the result's `settings`, such as what the caller was asked.
    Raises TargetError when the targets belong to another model, ConfigError for a seed out of
    range, SearchError when no text can be handed out, and what `parse_template` and `make_mask`
    raise.
    """
    search = _Search(model, targets, template, config, mask, seed, callback, dtype)
    return search.run(settings or {})


class _Search:
    """One run: the towers and tables it needs, and the board of what it has found."""

    def __init__(
        self,
        model: ClipModel,
        targets: Targets,
        template: str,
        config: SearchConfig,
        mask: TokenMask | None,
        seed: int,
        callback: Callback | None,
        dtype: torch.dtype | None,
    ) -> None:
        if not 0 <= seed < 2**64:
            raise ConfigError(f"seed must be between 0 and 2^64 - 1, got {seed}")
        embed_dim = model.tower.embed_dim
        if targets.features.shape[1] != embed_dim:
            raise TargetError(
                f"the targets have {targets.features.shape[1]} dimensions and the text tower "
                f"{embed_dim}: make them with the same model"
            )
        self.model, self.config, self.seed, self.callback = model, config, seed, callback
        self.mask = mask or make_mask(model.vocabulary, words=model.source.words)
        self.template = parse_template(template, model.vocabulary)
        self.tower = (
            model.tower if dtype in (None, torch.float32) else model.tower.to(model.device, dtype)
        )
        self.targets = targets.to(model.device)
        allowed = torch.tensor(self.mask.ids)
        self.table = token_table(model.tower.token_embedding, allowed, model.tower.widths)
        self.layout = torch.tensor(self.template.layout)
        self.generator = torch.Generator().manual_seed(seed)
        self.step = 0
        self.board = Board(model, self.targets, self.template, self.mask, self.table, self._clock)
        # Steps to come if every round is run; a refinement swaps about every token once.
        swaps = config.refine * self.template.learned
        self.expected = config.rounds * (config.steps + swaps)
        self.started = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.started

    def _clock(self) -> tuple[int, float]:
        return self.step, self.seconds

    def run(self, settings: dict[str, Any]) -> LearnedPrompt:
        try:
            stopped = self._rounds()
        except _Stop as stop:
            stopped = str(stop)
        seconds = self.seconds
        candidates = self.board.candidates(self.config.candidates)
        if not candidates:
            raise SearchError(
                f"no prompt was found in {self.step} steps: every score was not a number, or every "
                "text held a banned word; try float32, more steps or fewer banned words"
            )
        return LearnedPrompt(
            candidates=candidates,
            history=tuple(self.board.history),
            steps=self.step,
            seconds=seconds,
            stopped=stopped,
            seed=self.seed,
            model=self.model.name,
            settings={"template": self.template.text, **self.config.to_json(), **settings},
        )

    def _rounds(self) -> str:
        """Runs the rounds and returns why they ended."""
        idle = 0
        for number in range(self.config.rounds):
            before = self.board.similarity
            self._round(number)
            idle = 0 if self.board.similarity > before + LEAST_GAIN else idle + 1
            if self.config.patience is not None and idle >= self.config.patience:
                return "plateau"
        return "steps"

    def _round(self, number: int) -> None:
        pez = Pez(self.tower, self.table, self.layout, self.targets, self.config, self.generator)
        try:
            for step in range(1, self.config.steps + 1):
                pez.step()
                self.expected -= 1
                if step % LOOK_EVERY == 0:
                    self.board.look(number, pez)
                self._after_step("pez")
        except _Stop:
            self.board.look(number, pez)  # what was reached since the last look counts
            raise
        self.board.look(number, pez)
        for lineage in self.board.best_of_round(number, self.config.refine):
            left = self.template.learned
            for refine in self._refinements(lineage):
                self.board.put(lineage.key, refine.rows, refine.score)
                if left > 1:  # the last is kept back: how many it takes is not known
                    left, self.expected = left - 1, self.expected - 1
                self._after_step("refine")
            self.expected -= left

    def _refinements(self, lineage: Lineage) -> Iterator[Refine]:
        permits = None if self.mask.closed else self.board.permits
        refine = Refine(
            self.tower,
            self.table,
            self.layout,
            self.targets,
            lineage.rows,
            swaps=self.config.swaps,
            permits=permits,
            tick=lambda: self._report("refine"),
        )
        while not refine.done:
            refine.step()
            yield refine

    def _after_step(self, phase: str) -> None:
        self.step += 1
        self._report(phase)

    def _report(self, phase: str) -> None:
        """Tells the callback where the search is, and ends it when it has to end."""
        if self.callback is not None:
            info = StepInfo(
                self.step, self.step + self.expected, self.seconds, phase, self.board.best
            )
            if self.callback(info) is False:
                raise _Stop("user")
        if self.config.seconds is not None and self.seconds >= self.config.seconds:
            raise _Stop("seconds")
