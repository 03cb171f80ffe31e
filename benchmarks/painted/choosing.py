"""Which of several prompts of a picture paints best, judged without painting?

`choice_table` chooses one prompt per picture from those of all methods, by each of several
measures, and compares what the choices paint.
"""

from __future__ import annotations

import random
from collections.abc import Collection

import numpy as np
import torch

from pez_core import ClipModel
from pez_core.search.fluency import read_prior

from ..applied.shared import interval
from ..measure import markdown
from ..quality.readability import nats_per_token
from ..quality.transfer import view
from .judging import JUDGED, OWN, PAINTED, Figures
from .picture_sets import PictureSet

VIEWS, FIRST_VIEW = 16, 10_000  # seeds of views that no search has used
Scores = dict[str, np.ndarray]  # (methods, pictures), by measure; the highest is chosen


def scores_of(
    model: ClipModel, pictures: PictureSet, texts: dict[str, list[str]], figures: dict[str, Figures]
) -> Scores:
    """Every measure of all prompts. texts: by method, one for each picture."""
    count = len(next(iter(texts.values())))
    views = []
    for number, picture in enumerate(pictures.pictures[:count]):
        rng = random.Random(FIRST_VIEW + number)
        views.append(model.encode_pictures([view(picture, rng) for _ in range(VIEWS)]).mean(0))
    seen = torch.stack(views)
    rows = texts.values()
    own, judged = (np.array([figures[name][one] for name in texts]) for one in (OWN, JUDGED))
    other = np.array([(model.encode_texts(row) * seen).sum(1).tolist() for row in rows])
    vocabulary, prior = model.vocabulary, read_prior(model.vocabulary)
    nats = np.array(
        [[nats_per_token(prior, torch.tensor(vocabulary.encode(t))) for t in row] for row in rows]
    )
    different = np.array([[len(set(text.split())) for text in row] for row in rows], dtype=float)
    return {
        "own similarity": own,
        f"similarity to {VIEWS} views that no search used": other,
        "the views' similarity less the picture's own": other - own,
        "different words, then own similarity": different + own,
        "nats per token": nats,
        "own similarity + 0.003 nats": own + 0.003 * nats,
        "own similarity + 0.01 nats": own + 0.01 * nats,
        "the judge's text similarity": judged,
    }


def choice_table(
    model: ClipModel,
    pictures: PictureSet,
    texts: dict[str, list[str]],
    figures: dict[str, Figures],
    learned: Collection[str],
) -> list[str]:
    """What each measure's choice paints. The judge's text similarity and the best painting are
    chosen by the judge that also judges, so they are bounds."""
    learned_texts = {name: texts[name] for name in learned}
    painted = np.array([figures[name][PAINTED] for name in learned_texts])
    scores = scores_of(model, pictures, learned_texts, figures)
    chance = painted.mean(0)
    rows = [["any of them, by chance", f"{chance.mean():.3f}", ""]]
    for name, values in {**scores, "the best painting": painted}.items():
        taken = painted[values.argmax(0), range(painted.shape[1])]
        rows.append([name, f"{taken.mean():.3f}", interval((taken - chance).tolist(), 3, "+")])
    return markdown(["chosen by", "judge's similarity to the original", "less chance"], rows)
