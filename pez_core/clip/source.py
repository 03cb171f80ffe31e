"""The source of a model before it is loaded: one CLIP, or several to combine."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelError
from .architecture import Architecture


@dataclass(frozen=True)
class Source:
    """A model before loading: its architecture, its file, and the words that it has learned, if
    known.

    path: None for weights that do not come from a file. tower: which text tower, by its prefix,
    where there are several.
    """

    name: str
    arch: Architecture
    path: Path | None
    words: frozenset[str] | None = None
    tower: str | None = None

    @property
    def parts(self) -> tuple[Source, ...]:
        return (self,)

    @property
    def weights(self) -> tuple[float, ...]:
        return (1.0,)


@dataclass(frozen=True)
class JointSource:
    """The models of an ensemble before loading.

    weights: of their similarities; they are scaled to sum to 1.
    Raises ModelError for a weight that is not positive, and for a model named twice.
    """

    name: str
    parts: tuple[Source, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        names = [part.name for part in self.parts]
        for name, weight in zip(names, self.weights, strict=True):
            if not (math.isfinite(weight) and weight > 0):
                raise ModelError(
                    f"the weight of {name} in {self.name} must be positive, got {weight}: leave "
                    "out a model that should not count"
                )
            if names.count(name) > 1:
                raise ModelError(
                    f"{self.name} names {name} twice: name it once, with a greater weight"
                )
        total = sum(self.weights)
        object.__setattr__(self, "weights", tuple(weight / total for weight in self.weights))

    @property
    def words(self) -> frozenset[str] | None:
        """The words that all parts with a list know; None if no part has a list."""
        known = [part.words for part in self.parts if part.words is not None]
        return frozenset.intersection(*known) if known else None
