"""What a search has found so far, and the one place where scores become those of texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..clip.models import ClipModel
from ..guard.guard import Guard
from ..prompt import Candidate, Nearness
from ..targets import Targets, weighted_similarity
from ..text.template import Template
from ..text.vocabulary import TokenMask
from .fluency import Fluency
from .projection import TokenTable


@dataclass(frozen=True)
class Lineage:
    """The best prompt of one restart of one round, and what refinement made of it."""

    key: tuple[int, int]
    rows: Tensor  # (n,) rows of the token table
    text: str
    score: float  # what it is worth while searching; what is handed out is scored again as text


class Board:
    """The best of every lineage, the best text, and its history as (step, seconds, similarity)."""

    def __init__(
        self,
        model: ClipModel,
        targets: Targets,
        template: Template,
        mask: TokenMask,
        table: TokenTable,
        fluency: Fluency | None,
        clock: Callable[[], tuple[int, float]],
        guard: Guard | None = None,
    ) -> None:
        """fluency: what counts beside the similarity. clock: tells the present step and second of
        the search. guard: what texts are to keep away from."""
        self._model, self._targets, self._template = model, targets, template
        self._mask, self._table, self._clock = mask, table, clock
        self._fluency, self._guard = fluency, guard
        self._lineages: dict[tuple[int, int], Lineage] = {}
        self._seen: dict[tuple[int, int], float] = {}  # the score of each restart at the last look
        self.best: Candidate | None = None
        self.worth = -float("inf")  # of the best, see `_score`
        self.history: list[tuple[int, float, float]] = []

    def look(self, number: int, scores: Sequence[float], rows: Tensor) -> None:
        """Takes over what the restarts of a round have reached. scores: R numbers; rows: (R, n)."""
        # The best first, so that the others need not be scored as texts.
        for restart, score in sorted(enumerate(scores), key=lambda pair: -pair[1]):
            key = (number, restart)
            if score > self._seen.get(key, -float("inf")):
                self._seen[key] = score
                self.put(key, rows[restart], score)

    def put(self, key: tuple[int, int], rows: Tensor, score: float) -> None:
        """Takes over a prompt if it beats the best of its lineage, and still does so as text."""
        known = self._lineages.get(key)
        least = known.score if known else -float("inf")
        if not score > least:
            return
        ids: list[int] = self._table.ids[rows].tolist()
        text = self._text(ids)
        if not self._mask.closed:
            if not self._permitted(ids):
                return
            if not self._survives(ids, text):
                ((_, score),) = self._score([text])
        if score > least:
            self._lineages[key] = Lineage(key, rows.clone(), text, score)
            if score > self.worth:
                self._improve(text)

    def permits(self, rows: Tensor) -> Tensor:
        """Which prompts survive as text, without a banned word. (N, n) rows → (N,) bool."""
        prompts: list[list[int]] = self._table.ids[rows].tolist()  # one wait for the device
        kept = [self._permitted(ids) and self._survives(ids, self._text(ids)) for ids in prompts]
        return torch.tensor(kept, dtype=torch.bool, device=rows.device)

    def best_of_round(self, number: int, count: int) -> list[Lineage]:
        mine = [lineage for key, lineage in self._lineages.items() if key[0] == number]
        return sorted(mine, key=lambda lineage: -lineage.score)[:count]

    def candidates(self, count: int) -> tuple[Candidate, ...]:
        """The best texts of different lineages, scored as texts, best first. Where any keeps away
        from what it should, only such."""
        ranked = sorted(self._lineages.values(), key=lambda lineage: -lineage.score)
        texts = dict.fromkeys(lineage.text for lineage in ranked[: 2 * count])
        if self.best:
            texts[self.best.text] = None
        scored = sorted(self._score(list(texts)), key=lambda pair: -pair[1])
        clear = [pair for pair in scored if not pair[0].near]
        return tuple(candidate for candidate, _ in (clear or scored)[:count])

    def _improve(self, text: str) -> None:
        ((candidate, worth),) = self._score([text])
        if worth > self.worth:
            self.best, self.worth = candidate, worth
            self.history.append((*self._clock(), candidate.similarity))

    def _score(self, texts: list[str]) -> list[tuple[Candidate, float]]:
        """Texts with the similarity of their own encoding, the only scores that leave a search, and
        what each is worth: that, with its fluency and less the guard's penalty."""
        model, guard = self._model, self._guard
        features = model.encode_texts(texts)
        scores = weighted_similarity(features, self._targets)
        fines = torch.zeros_like(scores) if guard is None else guard.penalty(features, margin=0.0)
        near: list[dict[str, Nearness]]
        near = [{} for _ in texts] if guard is None else guard.measure(features, texts)
        each = model.similarities(features, self._targets)
        found = []
        for row, text in enumerate(texts):
            ids = tuple(model.vocabulary.encode(text))
            candidate = Candidate(text, ids, scores[row].item(), each[row], near[row])
            fluency = self._fluency.of_text(ids) if self._fluency else 0.0
            found.append((candidate, candidate.similarity + fluency - fines[row].item()))
        return found

    def _text(self, ids: list[int]) -> str:
        return self._template.render(ids, self._model.vocabulary)

    def _permitted(self, ids: list[int]) -> bool:
        """Whether the learned words hold no banned one; the template's own are the user's."""
        return self._mask.permits(self._model.vocabulary.decode(ids))

    def _survives(self, ids: list[int], text: str) -> bool:
        """Whether the text tokenises to the ids it was made of."""
        return self._model.vocabulary.encode(text) == self._template.fill(ids)
