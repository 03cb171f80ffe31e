"""The results of a search for a language model's prompt: plain, immutable, JSON-ready."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..prompt import SCHEMA
from .measure import Measure


@dataclass(frozen=True)
class TextCandidate:
    """One prompt as text, with the ids it is read as.

    training: on the examples it was chosen by. holdout: on those that took no part. unlikeliness:
    the mean negative log likelihood of its tokens, in nats.
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
    """What a search returns: distinct candidates, best first by their loss in training.

    empty: what no prompt is worth on the holdout. history: (step, seconds, training loss, training
    accuracy) each time the best improved. stopped: "steps" | "seconds" | "user".
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
