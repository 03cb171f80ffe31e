"""Where a model is before it is loaded: one CLIP, or several as one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelError
from .architecture import Architecture


@dataclass(frozen=True)
class Source:
    """A model before loading: its architecture, its file, and words it is known to know.

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
    """Several models that are to be one ensemble.

    weights: of their similarities; made to sum to 1.
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
                    f"the weight of {name} in {self.name} must be positive, got {weight}: leave a "
                    "model out that is not to count"
                )
            if names.count(name) > 1:
                raise ModelError(
                    f"{self.name} names {name} twice: name it once, with a greater weight"
                )
        total = sum(self.weights)
        object.__setattr__(self, "weights", tuple(weight / total for weight in self.weights))

    @property
    def words(self) -> frozenset[str] | None:
        """What all of them know; None where none says what it knows."""
        known = [part.words for part in self.parts if part.words is not None]
        return frozenset.intersection(*known) if known else None
