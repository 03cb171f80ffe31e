"""Style transfer (arXiv 2302.03668 §4.2): the prompt of several pictures of one style, applied to
new subjects.

Pictures of different things have only their style in common, so `learn_prompt` with all of them as
targets learns it. If a word of their subjects gets into the prompt, ban it. A negative target for
the subject weakens the style (benchmarks/applied/styling.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import TemplateError

SUBJECT, STYLE = "{subject}", "{style}"
APPLIED = f"{SUBJECT} in the style of {STYLE}"


def apply_style(style: str, subjects: Sequence[str], template: str = APPLIED) -> list[str]:
    """The prompt of each subject in a style. template: contains {subject} and {style}.

    Raises TemplateError when it lacks one of them.
    """
    missing = [field for field in (SUBJECT, STYLE) if field not in template]
    if missing:
        raise TemplateError(
            f"the template {template!r} has no {' and no '.join(missing)}: use a template such as "
            f"{APPLIED!r}"
        )
    # Piece by piece, so that a subject that contains "{style}" stays as it is.
    pieces = [piece.replace(STYLE, style) for piece in template.split(SUBJECT)]
    return [subject.join(pieces) for subject in subjects]
