"""A search proposes, a painter chooses among its candidates, and takes edits of the best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

from ..prompt import Candidate, LearnedPrompt
from .improving import EDITS, improve
from .improving import Callback as EditCallback
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
        "painter": {
            **about,
            "rounds": found.rounds,
            "passes": found.passes,
            "tied": found.tied,
            "seconds": found.seconds,
        },
    }
    return replace(learned, candidates=(*ordered, *near), settings=settings)


def edits_of(learned: LearnedPrompt) -> dict[str, Any] | None:
    """What a painter has edited in a result, an `Improvement` in JSON; None if it was not asked."""
    edited: dict[str, Any] | None = learned.settings.get("painter", {}).get("edited")
    return edited


def improved_by(
    picture: PictureErrors,
    chosen: LearnedPrompt,
    propose: Callable[[str], Sequence[str]],
    scored: Callable[[str], Candidate],
    edits: int = EDITS,
    seconds: float | None = None,
    callback: EditCallback | None = None,
) -> LearnedPrompt:
    """What `chosen_by` returns, with the best prompt after the edits that the painter takes at its
    head, and as many candidates. A prompt that a guard finds too near is not edited.

    propose, edits, seconds, callback: as for `improve`. scored: the candidate of a text.
    Raises what `improve` raises.
    """
    if chosen.best.near:
        return chosen
    found = improve(picture, chosen.best.text, propose, edits, ROUNDS, seconds, callback)
    about = {**chosen.settings["painter"], "edited": asdict(found)}
    candidates = chosen.candidates
    if found.edits:
        # On the scale of the others; under the noises that confirmed the edits all errors differ.
        error = (chosen.best.error or 0.0) - sum(edit.gain for edit in found.edits)
        best = replace(scored(found.prompt), error=error)
        others = [other for other in candidates if other.text != best.text]
        candidates = (best, *others[: len(candidates) - 1])
    return replace(chosen, candidates=candidates, settings={**chosen.settings, "painter": about})
