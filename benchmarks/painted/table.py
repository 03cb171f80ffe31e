"""Do the pictures come back? Table 1 of the paper, with the embedded painter.

    python -m benchmarks.painted.table --work DIR [--prompts FILE] [--seeds 2] [--save NAME]

Each prompt is painted from several noises, the same for all methods. The judge, a CLIP that took no
part, compares each painted picture with the original. Beside the learned prompts stand the true
name, the true caption, another picture's prompt, and no words at all. Intervals are 95 % bootstrap
over pictures; differences are paired.

Below each table stands which measure of a prompt predicts the painted picture, and what is painted
when the prompt of each picture is chosen by a measure (`painted/choosing.py`).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch

from pez_core import load_model

from ..judge import Judge
from ..measure import machine, save
from .choosing import choice_table
from .judging import about, correlations, means, painted_figures, painter_of, table
from .methods import METHODS, NOTHING, OTHERS, TRUE_CAPTION, TRUE_NAME
from .picture_sets import SETS, picture_set
from .prompts import Prompts, add_prompts_option, read

SHIFT = 7  # another's prompt is that of the picture so many places away


def texts_of(kind: str, known: Prompts, count: int, base: str) -> dict[str, list[str]]:
    """The prompts of every method, learned and not learned, for a set."""
    pictures = picture_set(kind)
    texts = {
        name: [known[kind, name][k][1] for k in range(count)]
        for name in METHODS
        if len(known.get((kind, name), {})) >= count
    }
    if base not in texts:
        raise SystemExit(
            f"{kind}: the prompts of {base!r} are not there: run painted.prompts first"
        )
    base_texts = texts[base]
    texts[TRUE_NAME], texts[TRUE_CAPTION] = pictures.names[:count], pictures.captions[:count]
    texts[OTHERS] = base_texts[SHIFT:] + base_texts[:SHIFT]
    texts[NOTHING] = [""] * count
    return texts


def main() -> None:
    """Paint what is missing, and print the tables."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    add_prompts_option(parser)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument(
        "--base", default="default", help="the method that others are compared with"
    )
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--save", metavar="NAME", help="write the figures to results/")
    options = parser.parse_args()
    known, judge, model = read(options.prompts), Judge(), load_model("demo")
    painter = painter_of(options.painter)
    result: dict[str, Any] = {
        "machine": machine(torch.get_num_threads()), "painter": about(painter),
        "guidance": painter.settings.guidance, "steps": painter.settings.steps,
        "pictures": options.pictures, "seeds": options.seeds, "sets": {},
    }  # fmt: skip
    for kind in options.sets:
        pictures, work = picture_set(kind), options.work / Path(kind).stem
        texts = texts_of(kind, known, options.pictures, options.base)
        figures = painted_figures(judge, model, pictures, painter, texts, options.seeds, work)
        learned = [name for name in texts if name in METHODS]
        related = correlations(figures, learned)
        choices = choice_table(model, pictures, texts, figures, learned)
        print(f"\n{kind}\n", *table(figures, options.base), "", sep="\n")
        print(*related, "", *choices, sep="\n")
        result["sets"][Path(kind).stem] = {
            "methods": means(figures), "correlations": related, "choices": choices,
        }  # fmt: skip
    if options.save:
        print(save(options.save, result))


if __name__ == "__main__":
    main()
