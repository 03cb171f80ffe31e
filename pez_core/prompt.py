"""The results of a search: plain, immutable, JSON-ready. No tensors, so they outlive the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SCHEMA = 1


@dataclass(frozen=True)
class Token:
    """One BPE token; `ends_word` is False for a piece of a word that the next token continues."""

    id: int
    text: str
    ends_word: bool


@dataclass(frozen=True)
class Candidate:
    """One prompt: its text, the ids it tokenises to, and the similarity of its own encoding.

    similarities: those of the encoders of an ensemble, by name; empty for a single one.
    """

    text: str
    ids: tuple[int, ...]
    similarity: float
    similarities: Mapping[str, float] = field(default_factory=dict, hash=False)

    def to_json(self) -> dict[str, Any]:
        entry = {"prompt": self.text, "similarity": self.similarity, "ids": list(self.ids)}
        return entry | ({"similarities": dict(self.similarities)} if self.similarities else {})


@dataclass(frozen=True)
class LearnedPrompt:
    """What a search returns: distinct candidates, best first, and how it went.

    history: (step, seconds, similarity) each time the best improved.
    stopped: "steps" | "seconds" | "plateau" | "user".
    """

    candidates: tuple[Candidate, ...]
    history: tuple[tuple[int, float, float], ...]
    steps: int
    seconds: float
    stopped: str
    seed: int
    model: str
    settings: dict[str, Any]

    @property
    def best(self) -> Candidate:
        return self.candidates[0]

    def to_json(self) -> dict[str, Any]:
        """The object that `pez invert --json` prints (schema 1)."""
        return {
            "schema": SCHEMA,
            "prompt": self.best.text,
            "similarity": self.best.similarity,
            "model": self.model,
            "seed": self.seed,
            "steps": self.steps,
            "seconds": round(self.seconds, 3),
            "stopped": self.stopped,
            "candidates": [candidate.to_json() for candidate in self.candidates],
            "history": [[step, round(s, 3), similarity] for step, s, similarity in self.history],
            "settings": self.settings,
        }
