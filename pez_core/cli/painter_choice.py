"""`pez invert --painter`: the painter chooses among the candidates, and edits its choice."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import PezError, first_line
from ..painter.settings import ROUNDS
from .output import write_message
from .progress import Progress, interruptible

if TYPE_CHECKING:
    from ..applications.word_edits import Proposer
    from ..painter.ranking import PictureErrors, Ranking
    from ..prompt import LearnedPrompt

log = logging.getLogger(__name__)


def chosen_by_painter(
    errors: PictureErrors,
    about: dict[str, Any],
    result: LearnedPrompt,
    edits: int,
    proposed: Proposer,
) -> LearnedPrompt:
    """The candidates in a painter's order, the best after at most so many edits.

    errors: the picture, as the painter sees it. about: of the painter.

    The first Ctrl-C ends it with what is known so far, and the result says so. What fails only ends
    it, with a warning: what was learned is not lost.
    """
    from torch import OutOfMemoryError

    from ..painter.choosing import chosen_by, edits_of, improved_by

    with interruptible() as pressed, Progress(None) as bar:

        def show(found: Ranking) -> bool:
            bar.show_ranking(found, ROUNDS)
            return not pressed

        def show_edits(found: Ranking, taken: int) -> bool:
            bar.show_ranking(found, ROUNDS, f"edit {taken + 1} of {edits}")
            return not pressed

        try:
            result = chosen_by(errors, result, about, callback=show)
            if edits and not pressed:
                result = improved_by(
                    errors, result, proposed.edits, proposed.scored, edits, callback=show_edits
                )
        except (PezError, OutOfMemoryError) as error:
            order = "the painter's" if "painter" in result.settings else "CLIP's"
            log.warning("the painter cannot go on: %s; the order is %s", first_line(error), order)
    if "painter" in result.settings:
        _tell(result.settings["painter"], edits_of(result))
    return replace(result, stopped="user") if pressed else result


def _tell(about: dict[str, Any], edited: dict[str, Any] | None) -> None:
    """What the painter has done, on stderr."""
    for edit in edited["edits"] if edited else []:
        change = f"{edit['before']:.3f} to {edit['error']:.3f}"
        write_message(f"edit: error {change} under other noises: {edit['prompt']}")
    if edited and not edited["edits"]:
        write_message(f"edit: none ({edited['reason']})")
    seconds = about["seconds"] + (edited["seconds"] if edited else 0.0)
    write_message(f"chosen by {about['pipeline']} in {seconds:.1f} s")
