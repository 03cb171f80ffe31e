"""The score of a text: the similarity of its own encoding. No other score leaves a search."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..clip.models import ClipModel
from ..guard.guard import Guard
from ..prompt import Candidate, Nearness
from ..targets import Targets, weighted_similarity
from ..text.reading import readings
from .best_tracker import Scored
from .fluency import Fluency


def score_texts(
    model: ClipModel,
    targets: Targets,
    texts: Sequence[str],
    guard: Guard | None = None,
    fluency: Fluency | None = None,
) -> list[Scored]:
    """A candidate for each text, with its similarity to targets on the model's device.

    The value of a candidate, by which a search ranks it, is that similarity plus the fluency and
    less the penalty of the guard.
    """
    features = model.encode_texts(texts)
    similarities = weighted_similarity(features, targets)
    penalties = torch.zeros_like(similarities)
    near: list[dict[str, Nearness]] = [{} for _ in texts]
    if guard is not None:
        cosines = guard.cosines(features)
        odd = [row for row, text in enumerate(texts) if len(readings(text)) > 1]
        if odd:
            cosines[odd] = guard.nearest(model, [texts[row] for row in odd])
        penalties, near = guard.penalty_of(cosines), guard.nearness(cosines, texts)
    each = model.similarities(features, targets)
    found = []
    for row, text in enumerate(texts):
        ids = tuple(model.vocabulary.encode(text))
        candidate = Candidate(text, ids, similarities[row].item(), each[row], near[row])
        value = candidate.similarity + (fluency.of_text(ids) if fluency else 0.0)
        found.append(Scored(candidate, value - penalties[row].item()))
    return found
