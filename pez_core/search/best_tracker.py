"""The best prompts of one search. Only scores of texts leave it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from torch import Tensor

from .projection import TokenTable

LEAST = -float("inf")


class Clock:
    """step: how many steps a search has done. spent: seconds that were its own."""

    def __init__(self, share_time: Callable[[], None]) -> None:
        """share_time: brings `spent` up to date."""
        self.step, self.spent, self._share_time = 0, 0.0, share_time

    @property
    def seconds(self) -> float:
        self._share_time()
        return self.spent


class Scored(NamedTuple):
    """A text's candidate, which has an attribute `text`, and its value: what a search maximises."""

    candidate: Any
    value: float


class Scorer(Protocol):
    """What turns learned token ids into texts, and scores texts; see `problem.Problem`."""

    table: TokenTable

    def text(self, ids: Sequence[int]) -> str | None: ...

    def survives(self, ids: Sequence[int], text: str) -> bool: ...

    def score(self, goal: Any, texts: Sequence[str]) -> Sequence[Scored]: ...


@dataclass(frozen=True)
class Lineage:
    """The best prompt of one restart of one round, after refinement too.

    key: round and restart. score: the search's own, or the text's if the text is read differently.
    """

    key: tuple[int, int]
    token_indices: Tensor  # (n,) indices into the token table
    text: str
    score: float


class BestTracker:
    """Keeps the best prompt of each lineage, and scores a text only when it may be the best.

    best: the best candidate so far. value: its value. history: (step, seconds, candidate) each time
    the best improved.
    """

    def __init__(self, scorer: Scorer, goal: Any, clock: Clock) -> None:
        self._scorer, self._goal, self._clock = scorer, goal, clock
        self._lineages: dict[tuple[int, int], Lineage] = {}
        self._seen: dict[tuple[int, int], float] = {}  # of each restart, at the last update
        self.best: Any = None
        self.value = LEAST
        self.history: list[tuple[int, float, Any]] = []

    def update(self, round_number: int, scores: Sequence[float], token_indices: Tensor) -> None:
        """Takes over what the restarts of a round have reached. scores: R; token_indices: (R, n)"""
        # The best first, so that the others need not be scored as texts.
        for restart, score in sorted(enumerate(scores), key=lambda pair: -pair[1]):
            key = (round_number, restart)
            if score > self._seen.get(key, LEAST):
                self._seen[key] = score
                self.put(key, token_indices[restart], score)

    def put(self, key: tuple[int, int], token_indices: Tensor, score: float) -> None:
        """Takes over one prompt, (n,), if it is the best of its lineage, as text too."""
        known = self._lineages.get(key)
        least = known.score if known else LEAST
        if not score > least:
            return
        ids: list[int] = self._scorer.table.ids[token_indices].tolist()
        text = self._scorer.text(ids)
        if text is None:
            return
        if not self._scorer.survives(ids, text):
            ((_, score),) = self._scorer.score(self._goal, [text])
        if score > least:
            self._lineages[key] = Lineage(key, token_indices.clone(), text, score)
            if score > self.value:
                self._improve(text)

    def best_of_round(self, round_number: int, count: int) -> list[Lineage]:
        own = [lineage for key, lineage in self._lineages.items() if key[0] == round_number]
        return sorted(own, key=lambda lineage: -lineage.score)[:count]

    def ranked(self, count: int) -> list[Any]:
        """Candidates of different text, best first: the best `2 * count` texts by the search's own
        scores, as texts may rank differently from tokens."""
        lineages = sorted(self._lineages.values(), key=lambda lineage: -lineage.score)
        different = dict.fromkeys(lineage.text for lineage in lineages)
        texts = dict.fromkeys([*different][: 2 * count])
        if self.best is not None:
            texts[self.best.text] = None
        return _best_first(self._scorer.score(self._goal, list(texts)))

    def _improve(self, text: str) -> Scored:
        (scored,) = self._scorer.score(self._goal, [text])
        if scored.value > self.value:
            self.best, self.value = scored
            self.history.append((self._clock.step, self._clock.seconds, scored.candidate))
        return scored


class EveryTextTracker(BestTracker):
    """Scores every text that a prompt reaches, and keeps them all: where the search's own scores
    are of mini-batches, or of tokens that may be read differently as text."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._scored: dict[str, Scored] = {}

    def update(self, round_number: int, scores: Sequence[float], token_indices: Tensor) -> None:
        for restart, score in sorted(enumerate(scores), key=lambda pair: -pair[1]):
            if score > LEAST:
                self.put((round_number, restart), token_indices[restart], score)

    def put(self, key: tuple[int, int], token_indices: Tensor, score: float) -> None:
        text = self._scorer.text(self._scorer.table.ids[token_indices].tolist())
        if text is not None:
            self._lineages[key] = Lineage(key, token_indices.clone(), text, score)
            if text not in self._scored:
                self._scored[text] = self._improve(text)

    def ranked(self, count: int) -> list[Any]:
        return _best_first(self._scored.values())


def _best_first(scored: Iterable[Scored]) -> list[Any]:
    return [one.candidate for one in sorted(scored, key=lambda one: -one.value)]
