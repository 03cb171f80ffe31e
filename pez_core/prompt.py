"""The results of a search: plain, immutable and ready for JSON. They hold no tensors, so they
outlive the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .escaping import COMFYUI, escape

SCHEMA = 1


@dataclass(frozen=True)
class Token:
    """One BPE token; `ends_word` is False for a piece of a word that the next token continues."""

    id: int
    text: str
    ends_word: bool


@dataclass(frozen=True)
class Nearness:
    """How near a text is to one concept of a guard, and the threshold above which it is too near.

    similarity: the cosine in the guard's neutral space, see `guard.neutral`. says: words of the
    text that name the concept literally, whatever the whole text means. known: False if the model
    does not distinguish the concept from an empty text. Then no text is near it, and only the words
    count.
    """

    similarity: float
    threshold: float
    says: tuple[str, ...] = ()
    known: bool = True

    @property
    def near(self) -> bool:
        return not self.similarity <= self.threshold  # so that NaN always counts as near

    def to_json(self) -> dict[str, Any]:
        return {
            "similarity": self.similarity,
            "threshold": self.threshold,
            "near": self.near,
            "says": list(self.says),
            "known": self.known,
        }


@dataclass(frozen=True)
class Candidate:
    """One prompt: its text, the ids that the text tokenises to, and the similarity of its own
    encoding.

    similarities: one for each encoder of an ensemble, by name; empty for a single encoder. guard:
    how near the text is to each avoided concept, by name; empty without a guard. error: of a
    painter that denoises the picture under the text, as a share of that without words; None if none
    was asked.
    """

    text: str
    ids: tuple[int, ...]
    similarity: float
    similarities: Mapping[str, float] = field(default_factory=dict, hash=False)
    guard: Mapping[str, Nearness] = field(default_factory=dict, hash=False)
    error: float | None = None

    @property
    def near(self) -> tuple[str, ...]:
        """The names of the concepts that the text is too near to."""
        return tuple(name for name, found in self.guard.items() if found.near)

    def to_json(self, program: str = COMFYUI) -> dict[str, Any]:
        """program: the one of `escaping.PROGRAMS` that the entry "escaped" is for."""
        entry: dict[str, Any] = {
            "prompt": self.text,
            "escaped": escape(self.text, program),
            "similarity": self.similarity,
            "ids": list(self.ids),
        }
        if self.similarities:
            entry["similarities"] = dict(self.similarities)
        if self.error is not None:
            entry["error"] = self.error
        return entry | _guard_entry(self)


@dataclass(frozen=True)
class LearnedPrompt:
    """What a search returns: distinct candidates, best first, and the course of the search.

    history: (step, seconds, similarity), one entry for each time that the best improved.
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

    def to_json(self, program: str = COMFYUI) -> dict[str, Any]:
        """The object that `pez invert --json` prints (schema 1); with a guard it has the key
        "guard". program: as for `Candidate.to_json`."""
        return {
            "schema": SCHEMA,
            "prompt": self.best.text,
            "escaped": escape(self.best.text, program),
            "similarity": self.best.similarity,
            "model": self.model,
            "seed": self.seed,
            "steps": self.steps,
            "seconds": round(self.seconds, 3),
            "stopped": self.stopped,
            "candidates": [candidate.to_json(program) for candidate in self.candidates],
            "history": [[step, round(s, 3), similarity] for step, s, similarity in self.history],
            "settings": self.settings,
            **_guard_entry(self.best),
        }


def _guard_entry(candidate: Candidate) -> dict[str, Any]:
    """A candidate's distances from the concepts of its guard; empty without a guard."""
    guard = {name: found.to_json() for name, found in candidate.guard.items()}
    return {"guard": guard} if guard else {}
