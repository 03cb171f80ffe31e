"""A search proposes, a painter chooses among its candidates."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..prompt import LearnedPrompt
from .ranking import Callback, PictureErrors, rank
from .settings import ROUNDS


def chosen_by(
    picture: PictureErrors,
    learned: LearnedPrompt,
    about: dict[str, Any],
    rounds: int = ROUNDS,
    seconds: float | None = None,
    callback: Callback | None = None,
) -> LearnedPrompt:
    """A search's result with its candidates in the painter's order, best first, each with its
    error. Those that a guard finds too near stay behind all others, without an error.

    about: of the painter, for the settings of the result. rounds, seconds, callback: as for `rank`.
    Raises what `rank` raises.
    """
    away = [candidate for candidate in learned.candidates if not candidate.near]
    near = [candidate for candidate in learned.candidates if candidate.near]
    if not away:
        return learned
    by_text = {candidate.text: candidate for candidate in away}
    found = rank(picture, list(by_text), rounds, seconds, callback)
    ordered = [replace(by_text[ranked.prompt], error=ranked.error) for ranked in found.prompts]
    settings = {
        **learned.settings,
        "painter": {**about, "rounds": found.rounds, "passes": found.passes, "tied": found.tied},
    }
    return replace(learned, candidates=(*ordered, *near), settings=settings)
