"""Do the pictures come back? Table 1 of the paper, with the embedded painter.

    python -m benchmarks.painted.table --prompts prompts.jsonl --work DIR [--seeds 2] [--save]

Each prompt is painted from several noises, the same for all methods. The judge, a CLIP that took no
part, compares each painted picture with the original. Beside the learned prompts stand the true
name, the true caption, another picture's prompt, and no words at all. Intervals are 95 % bootstrap
over pictures; differences are paired.

A second table tells which measure of a prompt predicts the painted picture: the rank correlation
over methods, for each picture, as a mean over pictures.

What is painted is kept in DIR as figures, so the command continues where it was stopped.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pez_core import Painter, load_model, load_painter
from training.painter.evaluate import paint

from ..judge import Judge
from ..measure import machine, markdown, paired_bootstrap, save
from ..quality.embedded_model import recalls
from .methods import METHODS, NOTHING, OTHERS, TRUE_CAPTION, TRUE_NAME
from .picture_sets import SETS, PictureSet, picture_set
from .prompts import read

SHIFT = 7  # another's prompt is that of the picture so many places away
MEASURES = ("own similarity", "judge's text similarity", "judge's text rank", "word recall")
FIRST = "default"


def texts_of(kind: str, known: dict[Any, Any], count: int) -> dict[str, list[str]]:
    """The prompts of every method, learned and not learned, for a set."""
    pictures = picture_set(kind)
    texts = {
        name: [known[kind, name][k][1] for k in range(count)]
        for name in METHODS
        if len(known.get((kind, name), {})) >= count
    }
    default = texts[FIRST]
    texts[TRUE_NAME], texts[TRUE_CAPTION] = pictures.names[:count], pictures.captions[:count]
    texts[OTHERS] = default[SHIFT:] + default[:SHIFT]
    texts[NOTHING] = [""] * count
    return texts


def looked_at(
    judge: Judge, pictures: PictureSet, painter: Painter, texts: list[str], seeds: int
) -> dict[str, list[float]]:
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
    names = ("painted", "first", "first five")
    values = (similarity, first, five)
    return {n: np.mean(v, axis=0).tolist() for n, v in zip(names, values, strict=True)}


def read_texts(
    judge: Judge, model: Any, pictures: PictureSet, texts: list[str]
) -> dict[str, list[float]]:
    """What is known of the prompts without painting, for each of MEASURES."""
    originals, rows = pictures.pictures, range(len(texts))
    own = (model.encode_pictures(originals[: len(texts)]) * model.encode_texts(texts)).sum(1)
    scores = judge.read(texts) @ judge.see(originals).T
    of_picture = scores[rows, rows]
    rank = (scores > of_picture[:, None]).sum(1) + 1
    recall = [
        float(recalls(t, n)) for t, n in zip(texts, pictures.names[: len(texts)], strict=True)
    ]
    values = (own.tolist(), of_picture.tolist(), rank.tolist(), recall)
    return dict(zip(MEASURES, values, strict=True))


def ranked(values: np.ndarray) -> np.ndarray:
    """Ranks along the first axis; equal values share the mean of their ranks."""
    less = (values[None] < values[:, None]).sum(1)
    equal = (values[None] == values[:, None]).sum(1)
    return less + (equal - 1) / 2


def correlation(figures: dict[str, dict[str, list[float]]], measure: str) -> tuple[float, ...]:
    """The rank correlation of a measure with the painted similarity over learned prompts, for each
    picture; its mean and interval over pictures."""
    learned = [name for name in figures if name in METHODS]
    pair = [
        ranked(np.array([figures[name][one] for name in learned])) for one in (measure, "painted")
    ]
    centred = [ranks - ranks.mean(0) for ranks in pair]
    norms = [np.sqrt((part**2).sum(0)) for part in centred]
    usable = (norms[0] > 0) & (norms[1] > 0)
    values = (centred[0] * centred[1]).sum(0)[usable] / (norms[0] * norms[1])[usable]
    return paired_bootstrap(values if measure != MEASURES[2] else -values)


def summary(kind: str, figures: dict[str, dict[str, list[float]]]) -> list[str]:
    """The two tables of a set."""
    base = np.array(figures[FIRST]["painted"])
    rows = []
    for name, of_method in figures.items():
        mean, low, high = paired_bootstrap(np.array(of_method["painted"]))
        difference = ""
        if name != FIRST:
            more, least, most = paired_bootstrap(np.array(of_method["painted"]) - base)
            difference = f"{more:+.3f} ({least:+.3f} to {most:+.3f})"
        rows.append(
            [
                name,
                f"{mean:.3f} ({low:.3f} to {high:.3f})",
                difference,
                f"{np.mean(of_method['first five']):.0%}",
                f"{np.mean(of_method[MEASURES[0]]):.4f}",
                f"{np.mean(of_method[MEASURES[1]]):.3f}",
                f"{np.mean(of_method[MEASURES[3]]):.0%}",
            ]
        )
    head = [
        f"{kind}: painted from", "judge's similarity to the original", f"less `{FIRST}`",
        "original in first 5", "own text similarity", "judge's text similarity", "word recall",
    ]  # fmt: skip
    lines = markdown(head, rows) + [""]
    for measure in MEASURES:
        mean, low, high = correlation(figures, measure)
        lines.append(f"{measure}: rank correlation {mean:+.2f} ({low:+.2f} to {high:+.2f})")
    return [*lines, ""]


def main() -> None:
    """Paint what is missing, and print the tables."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--prompts", type=Path, required=True, help="written by painted.prompts")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--painter", default="demo")
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--save", metavar="NAME", help="write the figures to results/")
    options = parser.parse_args()
    known, judge, model = read(options.prompts), Judge(), load_model("demo")
    painter = load_painter(options.painter)
    options.work.mkdir(parents=True, exist_ok=True)
    result: dict[str, Any] = {
        "machine": machine(torch.get_num_threads()), "painter": painter.about,
        "guidance": painter.settings.guidance, "steps": painter.settings.steps,
        "pictures": options.pictures, "seeds": options.seeds, "sets": {},
    }  # fmt: skip
    for kind in options.sets:
        pictures, figures = picture_set(kind), {}
        for name, texts in texts_of(kind, known, options.pictures).items():
            path = options.work / f"{kind}, {name}.json"
            if not path.is_file():
                found = looked_at(judge, pictures, painter, texts, options.seeds)
                path.write_text(json.dumps(found), encoding="utf-8")
                print(f"{path.stem}: {np.mean(found['painted']):.3f}", flush=True)
            figures[name] = json.loads(path.read_text(encoding="utf-8"))
            figures[name] |= read_texts(judge, model, pictures, texts)
        print("\n".join(summary(kind, figures)))
        result["sets"][kind] = {
            name: {measure: round(float(np.mean(v)), 4) for measure, v in of_method.items()}
            for name, of_method in figures.items()
        }
    if options.save:
        print(save(options.save, result))


if __name__ == "__main__":
    main()
