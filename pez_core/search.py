"""`learn_prompt`: restarts, PEZ, refinement, ranking, and the reasons to stop. It is anytime: the
best prompt so far is always valid, so a callback, a time budget or a plateau ends it at once with a
result.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .config import DEFAULT, SearchConfig
from .errors import TargetError
from .models import ClipModel
from .objective import weighted_similarity
from .optimizers import Pez
from .projection import token_table
from .prompt import Candidate, LearnedPrompt
from .refine import Refine
from .targets import Targets
from .template import parse_template
from .vocabulary import TokenMask, make_mask

LOOK_EVERY = (
    5  # steps between looks at the device: each look waits for it, and 5 steps of a GPU are 2 ms
)
LEAST_GAIN = 1e-4  # a round that gains less has met a plateau


@dataclass(frozen=True)
class StepInfo:
    """What a callback is told after every step. total: steps at most, if every round is run to its
    end."""

    step: int
    total: int
    seconds: float
    phase: str  # "pez" | "refine"
    best: Candidate | None


Callback = Callable[[StepInfo], bool | None]


class _Stop(Exception):
    """Ends the search from within; its argument is the reason."""


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
    lower-case ASCII if left out. callback: called after every step; returning False stops with the
    best so far.
    dtype: of the tower's weights while searching (scores handed out are always those of float32).
    settings: more entries for the result's `settings`, such as what the caller was asked.
    Raises TargetError when the targets belong to another model, TemplateError and VocabularyError
    as their makers do.
    """
    search = _Search(model, targets, template, config, mask, seed, callback, dtype)
    return search.run(settings or {})


class _Search:
    """One run: the towers and tables it needs, and the board of what it has found."""

    @torch.inference_mode(False)
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
        embed_dim = model.tower.text_projection.shape[1]
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
        self.table = token_table(model.tower.token_embedding, torch.tensor(self.mask.ids))
        self.layout = torch.tensor(self.template.layout)
        self.generator = torch.Generator().manual_seed(seed)
        self.board = _Board(self)
        self.step = 0
        self.total = config.rounds * config.steps  # refinement steps come on top as they are needed
        self.started = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.started

    def run(self, settings: dict[str, Any]) -> LearnedPrompt:
        try:
            stopped = self._rounds()
        except _Stop as stop:
            stopped = str(stop)
        seconds = self.seconds
        return LearnedPrompt(
            candidates=self.board.candidates(self.config.candidates),
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
                if step % LOOK_EVERY == 0:
                    self.board.look(number, pez)
                self._after_step("pez")
        except _Stop:
            self.board.look(number, pez)  # what was reached since the last look counts
            raise
        self.board.look(number, pez)
        for lineage in self.board.best_of_round(number, self.config.refine):
            for refine in self._refinements(lineage):
                self.board.put(lineage.key, refine.rows, refine.score)
                self._after_step("refine")

    def _refinements(self, lineage: _Lineage) -> Iterator[Refine]:
        permits = None if self.mask.closed else self.board.permits
        refine = Refine(
            self.tower,
            self.table,
            self.layout,
            self.targets,
            lineage.rows,
            swaps=self.config.swaps,
            permits=permits,
        )
        while not refine.done:
            refine.step()
            yield refine

    def _after_step(self, phase: str) -> None:
        self.step += 1
        if self.callback is not None:
            info = StepInfo(
                self.step, max(self.total, self.step), self.seconds, phase, self.board.best
            )
            if self.callback(info) is False:
                raise _Stop("user")
        if self.config.seconds is not None and self.seconds >= self.config.seconds:
            raise _Stop("seconds")


@dataclass(frozen=True)
class _Lineage:
    """The best prompt of one restart of one round, and what refinement made of it."""

    key: tuple[int, int]
    rows: Tensor  # (n,) rows of the token table
    text: str
    score: float  # to rank while searching; what is handed out is scored again as text


class _Board:
    """What a search has found: the best of every lineage, the best text, and its history."""

    def __init__(self, search: _Search) -> None:
        self._search = search
        self._lineages: dict[tuple[int, int], _Lineage] = {}
        self._reached: dict[
            tuple[int, int], float
        ] = {}  # the score that each lineage claimed, before the text's
        self.best: Candidate | None = None
        self.history: list[tuple[int, float, float]] = []

    @property
    def similarity(self) -> float:
        return self.best.similarity if self.best else -float("inf")

    def look(self, number: int, pez: Pez) -> None:
        """Takes over what the restarts of a round have reached. Waits for the device."""
        for restart, score in enumerate(pez.best_scores.tolist()):
            self.put((number, restart), pez.best_rows[restart], score)

    def put(self, key: tuple[int, int], rows: Tensor, score: float) -> None:
        """Takes over a prompt that claims a better score than its lineage had, if its text keeps
        the claim."""
        if not score > self._reached.get(key, -float("inf")):
            return
        self._reached[key] = score
        text = self._text(rows)
        if not self._search.mask.closed:
            if not self._search.mask.permits(text):
                return
            if not self._survives(rows, text):
                score = self._score([text])[0].similarity
        known = self._lineages.get(key)
        if known is None or score > known.score:
            self._lineages[key] = _Lineage(key, rows.clone(), text, score)
            if score > self.similarity:
                self._improve(text)

    def permits(self, rows: Tensor) -> Tensor:
        """Which prompts survive the way to text and back without a banned word. (N, n) → (N,)
        bool."""
        texts = [(row, self._text(row)) for row in rows]
        kept = [
            self._search.mask.permits(text) and self._survives(row, text) for row, text in texts
        ]
        return torch.tensor(kept, dtype=torch.bool, device=rows.device)

    def best_of_round(self, number: int, count: int) -> list[_Lineage]:
        mine = [lineage for key, lineage in self._lineages.items() if key[0] == number]
        return sorted(mine, key=lambda lineage: -lineage.score)[:count]

    def candidates(self, count: int) -> tuple[Candidate, ...]:
        """The best texts of different lineages, scored as texts, best first."""
        ranked = sorted(self._lineages.values(), key=lambda lineage: -lineage.score)
        texts = dict.fromkeys(lineage.text for lineage in ranked[: 2 * count])
        if self.best:
            texts[self.best.text] = None
        return tuple(sorted(self._score(list(texts)), key=lambda c: -c.similarity)[:count])

    def _improve(self, text: str) -> None:
        (candidate,) = self._score([text])
        if candidate.similarity > self.similarity:
            self.best = candidate
            self.history.append((self._search.step, self._search.seconds, candidate.similarity))

    def _score(self, texts: list[str]) -> list[Candidate]:
        """Texts with the similarity of their own encoding: the only scores that leave a search."""
        model = self._search.model
        similarities = weighted_similarity(model.encode_texts(texts), self._search.targets).tolist()
        encode = model.vocabulary.encode
        return [Candidate(t, tuple(encode(t)), s) for t, s in zip(texts, similarities, strict=True)]

    def _text(self, rows: Tensor) -> str:
        return self._search.template.render(self._ids(rows), self._search.model.vocabulary)

    def _ids(self, rows: Tensor) -> list[int]:
        ids: list[int] = self._search.table.ids[rows].tolist()
        return ids

    def _survives(self, rows: Tensor, text: str) -> bool:
        """Whether the text tokenises to the ids it was made of."""
        return self._search.model.vocabulary.encode(text) == self._search.template.fill(
            self._ids(rows)
        )
