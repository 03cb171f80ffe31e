"""Style transfer (arXiv 2302.03668 §4.2): the prompt of several pictures of one style, put to
subjects of one's own.

What pictures of different things have in common is their style, so it is learned by `learn_prompt`
with all of them as targets. A word of their subjects that gets into it is banned; to name it as a
target to keep away from costs the style (benchmarks/applied/styling.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import TemplateError

SUBJECT, STYLE = "{subject}", "{style}"
APPLIED = f"{SUBJECT} in the style of {STYLE}"


def apply_style(style: str, subjects: Sequence[str], template: str = APPLIED) -> list[str]:
    """The prompt of each subject in a style. template: has {subject} and {style} where they go.

    Raises TemplateError when it lacks one of them.
    """
    missing = [field for field in (SUBJECT, STYLE) if field not in template]
    if missing:
        raise TemplateError(
            f"the template {template!r} has no {' and no '.join(missing)}: write where they go, "
            f"such as {APPLIED!r}"
        )
    # Piece by piece: a subject that holds "{style}" stays as it is.
    pieces = [piece.replace(STYLE, style) for piece in template.split(SUBJECT)]
    return [subject.join(pieces) for subject in subjects]
