"""Draws a contact sheet: pictures, and what is painted from the prompts of several methods.

    python -m benchmarks.painted.sheet --out sheet.webp [--prompts FILE] [--set scenes]

Every prompt is painted once, from the first noise of `painted/table.py`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from pez_core import load_painter
from pez_core.evaluation.sheet import Cell, draw_sheet
from training.painter.evaluate import paint

from ..judge import Judge
from .picture_sets import picture_set
from .prompts import add_prompts_option, read
from .table import texts_of

SHOWN = ("PEZ, paper", "fast", "default", "thorough", "true caption", "another's prompt", "nothing")
STEP = 29  # every so many pictures of a set is shown


def main() -> None:
    """Paint and draw."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    add_prompts_option(parser)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--set", default="fxemoji")
    parser.add_argument("--count", type=int, default=10, help="of pictures")
    parser.add_argument("--methods", nargs="+", default=SHOWN)
    options = parser.parse_args()
    pictures, judge, painter = picture_set(options.set), Judge(), load_painter(options.painter)
    count = len(pictures.pictures)
    texts = texts_of(options.set, read(options.prompts), count, "default")
    originals = judge.see(pictures.pictures)
    shown = range(0, count, STEP)[: options.count]
    with TemporaryDirectory() as name:
        folder = Path(name)
        columns = [[_cell(folder, 0, k, pictures.pictures[k], pictures.names[k]) for k in shown]]
        for place, method in enumerate(options.methods, 1):
            made = paint(painter.pipeline, painter.settings, texts[method], 0)
            scores = (judge.see(made) * originals).sum(1).tolist()
            columns.append([
                _cell(folder, place, k, made[k], f"judge {scores[k]:.3f}", texts[method][k])
                for k in shown
            ])  # fmt: skip
        sheet = draw_sheet(["original", *options.methods], list(zip(*columns, strict=True)))
    small = sheet.resize((sheet.width * 3 // 5, sheet.height * 3 // 5), Image.Resampling.LANCZOS)
    small.save(options.out, quality=45)
    print(options.out)


def _cell(
    folder: Path, place: int, number: int, picture: Image.Image, head: str, text: str = ""
) -> Cell:
    path = folder / f"{place}-{number}.png"
    picture.save(path)
    return Cell(path, head, text)


if __name__ == "__main__":
    main()
