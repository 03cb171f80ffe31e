"""The results of a search for a language model's prompt: plain, immutable and ready for JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..prompt import SCHEMA
from .measure import Measure


@dataclass(frozen=True)
class TextCandidate:
    """One prompt as text, with its token ids.

    training: its measure on the examples that rank the texts. holdout: its measure on the held-out
    examples. unlikeliness: the mean negative log likelihood of its tokens, in nats.
    """

    text: str
    ids: tuple[int, ...]
    training: Measure
    holdout: Measure
    unlikeliness: float

    def to_json(self) -> dict[str, Any]:
        return {
            "prompt": self.text,
            "ids": list(self.ids),
            "training": self.training.to_json(),
            "holdout": self.holdout.to_json(),
            "unlikeliness": self.unlikeliness,
        }


@dataclass(frozen=True)
class LearnedText:
    """The result of a search: distinct candidates; the lowest training loss is the first.

    empty: the measure on the holdout without a prompt. history: (step, seconds, training loss,
    training accuracy) of each improvement of the best. stopped: "steps" | "seconds" | "user".
    """

    candidates: tuple[TextCandidate, ...]
    empty: Measure
    history: tuple[tuple[int, float, float, float], ...]
    steps: int
    seconds: float
    stopped: str
    seed: int
    model: str
    settings: dict[str, Any]

    @property
    def best(self) -> TextCandidate:
        return self.candidates[0]

    def to_json(self) -> dict[str, Any]:
        """The object that `pez learn-text --json` prints (schema 1)."""
        return {
            "schema": SCHEMA,
            "prompt": self.best.text,
            "loss": self.best.holdout.loss,
            "accuracy": self.best.holdout.accuracy,
            "empty": self.empty.to_json(),
            "model": self.model,
            "seed": self.seed,
            "steps": self.steps,
            "seconds": round(self.seconds, 3),
            "stopped": self.stopped,
            "candidates": [candidate.to_json() for candidate in self.candidates],
            "history": [[step, round(s, 3), *rest] for step, s, *rest in self.history],
            "settings": self.settings,
        }
