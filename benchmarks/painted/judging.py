"""Paints prompts, lets the judge look at the pictures, and sums up what it says."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from pez_core import ClipModel, Painter, load_painter
from pez_core.painter.settings import DEMO_GUIDANCE, DEMO_STEPS
from training.painter.evaluate import paint

from ..applied.shared import interval
from ..judge import Judge
from ..measure import markdown, paired_bootstrap
from ..quality.embedded_model import recalls
from .picture_sets import PictureSet

PAINTED, FIRST, FIVE = "painted", "first", "first five"
OWN, JUDGED, RANK, RECALL = MEASURES = (
    "own text similarity", "judge's text similarity", "judge's text rank", "word recall",
)  # fmt: skip
"""What is known of a prompt without painting it."""

Figures = dict[str, list[float]]  # by measure, then by picture


def painter_of(name: str) -> Painter:
    """A painter of this size, with the settings of the embedded one."""
    return load_painter(name, guidance=DEMO_GUIDANCE, steps=DEMO_STEPS)


def about(painter: Painter) -> dict[str, Any]:
    """What painted, without the path of its folder."""
    return {**painter.about, "pipeline": Path(painter.about["pipeline"]).name}


@cache
def judge_and_painter(name: str) -> tuple[Judge, Painter]:
    """Both, loaded once in every process."""
    return Judge(), painter_of(name)


def resemblance(
    see: Callable[[list[Image.Image]], torch.Tensor],
    painter: Painter,
    texts: list[str],
    picture: Image.Image,
    noises: Sequence[int],
) -> list[float]:
    """The similarity of a picture to what each text paints, mean over noises. see: the unit
    features (B, E) of pictures by who judges."""
    original = see([picture])[0]
    seen = [
        (see(paint(painter.pipeline, painter.settings, texts, noise)) @ original).tolist()
        for noise in noises
    ]
    mean: list[float] = np.mean(seen, 0).tolist()
    return mean


def looked_at(
    judge: Judge, pictures: PictureSet, painter: Painter, texts: list[str], seeds: int
) -> Figures:
    """For each prompt: the judge's similarity of what is painted to the original, and the share of
    paintings for which the original is the first of all pictures, and among the first five."""
    originals = judge.see(pictures.pictures)
    similarity, first, five = [], [], []
    for seed in range(seeds):
        scores = judge.see(paint(painter.pipeline, painter.settings, texts, seed)) @ originals.T
        own = scores[range(len(texts)), range(len(texts))]
        rank = (scores > own[:, None]).sum(1)
        similarity.append(own.tolist())
        first.append((rank < 1).float().tolist())
        five.append((rank < 5).float().tolist())
    values = (similarity, first, five)
    return {
        name: np.mean(v, axis=0).tolist()
        for name, v in zip((PAINTED, FIRST, FIVE), values, strict=True)
    }


def read_texts(judge: Judge, model: ClipModel, pictures: PictureSet, texts: list[str]) -> Figures:
    """The MEASURES of prompts, one for each of the first pictures of a set."""
    originals, rows = pictures.pictures, range(len(texts))
    own = (model.encode_pictures(originals[: len(texts)]) * model.encode_texts(texts)).sum(1)
    scores = judge.read(texts) @ judge.see(originals).T
    of_picture = scores[rows, rows]
    rank = (scores > of_picture[:, None]).sum(1) + 1
    names = pictures.names[: len(texts)]
    recall = [float(recalls(text, name)) for text, name in zip(texts, names, strict=True)]
    values = (own.tolist(), of_picture.tolist(), rank.tolist(), recall)
    return dict(zip(MEASURES, values, strict=True))


def painted_figures(
    judge: Judge,
    model: ClipModel,
    pictures: PictureSet,
    painter: Painter,
    texts: dict[str, list[str]],
    seeds: int,
    work: Path,
) -> dict[str, Figures]:
    """The figures of every method's prompts. What is painted is kept in `work` as figures, so that
    a run continues where it was stopped, as long as the painter and the prompts are the same."""
    work.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Figures] = {}
    for name, prompts in texts.items():
        path = work / f"{name}.json"
        made_from = [painter.about, painter.settings.to_json(), seeds, prompts]
        kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if kept.get("from") != made_from:
            kept = {
                "from": made_from,
                "figures": looked_at(judge, pictures, painter, prompts, seeds),
            }
            path.write_text(json.dumps(kept), encoding="utf-8")
            print(f"{name}: {np.mean(kept['figures'][PAINTED]):.3f}", flush=True)
        figures[name] = kept["figures"] | read_texts(judge, model, pictures, prompts)
    return figures


def table(figures: dict[str, Figures], base: str) -> list[str]:
    """The table of a set of pictures. Differences are from the method `base`."""
    reference = np.array(figures[base][PAINTED])
    rows = []
    for name, found in figures.items():
        change = (np.array(found[PAINTED]) - reference).tolist()
        difference = "" if name == base else interval(change, 3, "+")
        rows.append([
            name, interval(found[PAINTED]), difference,
            f"{np.mean(found[FIVE]):.0%}", f"{np.mean(found[OWN]):.4f}",
            f"{np.mean(found[JUDGED]):.3f}", f"{np.mean(found[RECALL]):.0%}",
        ])  # fmt: skip
    head = ["painted from", "judge's similarity to the original", f"less `{base}`",
            "original in first 5", OWN, JUDGED, RECALL]  # fmt: skip
    return markdown(head, rows)


def correlations(figures: dict[str, Figures], learned: Collection[str]) -> list[str]:
    """How well each measure predicts the painted picture: its rank correlation with the painted
    similarity over the learned prompts of a picture, as a mean over pictures, with its interval."""
    lines = []
    for measure in MEASURES:
        sign = -1 if measure == RANK else 1
        pair = [np.array([figures[name][one] for name in learned]) for one in (measure, PAINTED)]
        values = rank_correlations(*pair)
        mean, low, high = paired_bootstrap(sign * values)
        lines.append(f"{measure}: rank correlation {mean:+.2f} ({low:+.2f} to {high:+.2f})")
    return lines


def rank_correlations(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The rank correlation along the first axis of each column, without those in which all values
    of an array are equal."""
    centred = [ranks - ranks.mean(0) for ranks in (_ranked(one), _ranked(other))]
    norms = [np.sqrt((part**2).sum(0)) for part in centred]
    usable = (norms[0] > 0) & (norms[1] > 0)
    values: np.ndarray = (centred[0] * centred[1]).sum(0)[usable] / (norms[0] * norms[1])[usable]
    return values


def means(figures: dict[str, Figures]) -> dict[str, dict[str, float]]:
    """The mean of every figure over pictures."""
    return {
        name: {measure: round(float(np.mean(v)), 4) for measure, v in found.items()}
        for name, found in figures.items()
    }


def _ranked(values: np.ndarray) -> np.ndarray:
    """Ranks along the first axis; equal values share the mean of their ranks."""
    less = (values[None] < values[:, None]).sum(1)
    equal = (values[None] == values[:, None]).sum(1)
    ranks: np.ndarray = less + (equal - 1) / 2
    return ranks
