"""`pez invert --painter`: the painter chooses among the candidates, and edits its choice."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..errors import PezError
from ..painter.settings import ROUNDS
from .output import write_message
from .progress import Progress, interruptible

if TYPE_CHECKING:
    from PIL import Image

    from ..applications.word_edits import Proposer
    from ..painter.pipeline import Painter
    from ..painter.ranking import Ranking
    from ..prompt import LearnedPrompt

log = logging.getLogger(__name__)


def chosen_by_painter(
    painter: Painter, picture: Image.Image, result: LearnedPrompt, edits: int, proposed: Proposer
) -> LearnedPrompt:
    """The candidates in the painter's order, the best after at most so many edits; in CLIP's order
    with a warning if the painter cannot choose. The first Ctrl-C ends it with what is known so
    far."""
    from ..painter.choosing import chosen_by, improved_by
    from ..painter.denoising import PipelineErrors

    try:
        errors = PipelineErrors(painter, picture, result.seed)
    except PezError as error:  # what was learned is not lost
        log.warning("the painter cannot choose: %s; the order is CLIP's", error)
        return result
    with interruptible() as pressed, Progress(None) as bar:

        def show(found: Ranking) -> bool:
            bar.show_ranking(found, ROUNDS)
            return not pressed

        result = chosen_by(errors, result, painter.about, callback=show)
        if edits and not pressed:
            result = improved_by(
                errors, result, proposed.edits, proposed.scored, edits, callback=show
            )
    for edit in result.settings.get("painter", {}).get("edited", {}).get("edits", []):
        write_message(f"edit: error {edit['error']:.3f}, {edit['gain']:.3f} less: {edit['prompt']}")
    return result
