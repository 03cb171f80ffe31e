"""Style transfer (arXiv 2302.03668 §4.2): the prompt of several pictures of one style, put behind
subjects of one's own.

What the pictures have in common is their style, so one prompt is learned for all of them. What
their subjects share can be named as content and is kept away from.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .errors import TargetError, TemplateError
from .targets import Targets, make_targets

SUBJECT, STYLE = "{subject}", "{style}"
APPLIED = f"{SUBJECT} in the style of {STYLE}"
CONTENT_WEIGHT = 0.5  # of all content beside all pictures; benchmarks/applications.py


def style_targets(
    pictures: Tensor,
    content: Tensor | None = None,
    *,
    labels: Sequence[str] = (),
    content_weight: float = CONTENT_WEIGHT,
) -> Targets:
    """Targets of a style. pictures: (N, E) features of pictures in it. content: (C, E) features of
    texts that name what is not the style. labels: N + C names.

    All pictures together count 1 and all content -content_weight, however many there are.
    Raises TargetError for no picture, a content_weight below 0, and as `make_targets` does.
    """
    if not len(pictures):
        raise TargetError("no style to learn: give at least one picture")
    if not content_weight >= 0:
        raise TargetError(f"the weight of content must be at least 0, got {content_weight}")
    count = len(pictures)
    weights, features = [1 / count] * count, pictures
    if content is not None and len(content):
        weights += [-content_weight / len(content)] * len(content)
        features = torch.cat([pictures, content.to(pictures)])
    return make_targets(features, weights, labels)


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
