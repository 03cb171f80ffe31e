"""How far a search is: what its callback is called with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..prompt import Candidate


@dataclass(frozen=True)
class StepInfo:
    """How far one search is.

    total: the steps if every round is run; those of refinement are estimated. seconds: of this
    search; searches that run together share the time. number: which of several searches it is.
    """

    step: int
    total: int
    seconds: float
    phase: str  # "pez" | "refine"
    best: Candidate | None
    number: int = 0


Callback = Callable[[StepInfo], bool | None]
