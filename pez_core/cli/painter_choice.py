"""`pez invert --painter`: the painter chooses among the candidates, and edits its choice."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ..errors import PezError
from ..painter.settings import ROUNDS
from .output import write_message
from .progress import Progress, interruptible

if TYPE_CHECKING:
    from PIL import Image

    from ..clip.models import ClipModel
    from ..guard.guard import Guard
    from ..painter.pipeline import Painter
    from ..painter.ranking import Ranking
    from ..prompt import Candidate, LearnedPrompt
    from ..targets import Targets
    from ..text.vocabulary import TokenMask


log = logging.getLogger(__name__)


class Proposer(NamedTuple):
    """edits: of a text, that CLIP proposes. scored: the candidate of a text."""

    edits: Callable[[str], list[str]]
    scored: Callable[[str], Candidate]


def proposer(
    model: ClipModel, targets: Targets, template: str, mask: TokenMask, guard: Guard | None
) -> Proposer:
    """Under the options of a search, but for its fluency. The words of the template stay."""
    from ..applications.word_edits import edits_by_clip, fixed_words
    from ..search.text_score import score_texts
    from ..text.template import parse_template

    if guard is not None:
        mask = mask.less(model.vocabulary, guard.ban)
    kept = fixed_words(parse_template(template, model.vocabulary), model.vocabulary)

    def edits(text: str) -> list[str]:
        return edits_by_clip(model, text, targets, mask, guard=guard, kept=kept)

    def scored(text: str) -> Candidate:
        candidate: Candidate = score_texts(model, targets, [text], guard)[0].candidate
        return candidate

    return Proposer(edits, scored)


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
    for edit in result.settings.get("painter", {}).get("edits", []):
        write_message(f"edit: error {edit['error']:.3f}, {edit['gain']:.3f} less: {edit['prompt']}")
    return result
