"""The contact sheet: each picture next to the pictures painted from each method's prompt, with the
prompts.

But: Pillow's own font has only Latin letters; others are drawn as boxes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from ..batch.results import Record
from ..errors import PictureError
from ..painter.text_lines import wrapped
from ..pictures import open_picture
from .folder import EvaluationFolder, png_file
from .plan import Plan

CELL = 224  # pixels of a picture's side
GAP = 12
HEAD = 34
LINE = 16
LINES = 6  # of text below a picture; the first is its heading
ROW = CELL + LINES * LINE + GAP
FONT = 12
INK, FAINT, PALE = "#222222", "#777777", "#e8e8e8"


@dataclass(frozen=True)
class Cell:
    """A picture with a heading and a text below it. path: None without a picture."""

    path: Path | None
    head: str
    text: str


def sheet_size(row_count: int, columns: int) -> tuple[int, int]:
    """The sheet's width and height in pixels."""
    return GAP + columns * (CELL + GAP), HEAD + row_count * ROW


def cell_corner(row: int, column: int) -> tuple[int, int]:
    """The position of the upper left corner of a cell's picture."""
    return GAP + column * (CELL + GAP), HEAD + row * ROW


def draw_sheet(titles: Sequence[str], grid: Sequence[Sequence[Cell]]) -> Image.Image:
    """The sheet of a grid of cells, with one row for each picture, under the titles of the
    columns."""
    sheet = Image.new("RGB", sheet_size(len(grid), len(titles)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(FONT)
    for column, title in enumerate(titles):
        left, _ = cell_corner(0, column)
        (line,) = wrapped(title, font, 1, CELL)
        draw.text((left, GAP), line, INK, font)
    for number, row in enumerate(grid):
        for column, cell in enumerate(row):
            left, top = cell_corner(number, column)
            sheet.paste(thumbnail(cell.path), (left, top))
            frame = (left - 1, top - 1, left + CELL, top + CELL)
            draw.rectangle(frame, outline=PALE)  # white pictures would have no visible border
            lines = [*wrapped(cell.head, font, 1, CELL), *wrapped(cell.text, font, LINES - 1, CELL)]
            for index, line in enumerate(lines):
                ink = INK if index else FAINT
                draw.text((left, top + CELL + 2 + index * LINE), line, ink, font)
    return sheet


def thumbnail(path: Path | None) -> Image.Image:
    """The whole picture in a square of CELL pixels, on white; a pale square without a picture."""
    if path is None:
        return Image.new("RGB", (CELL, CELL), PALE)
    try:
        return ImageOps.pad(open_picture(path), (CELL, CELL), color="white")
    except PictureError:
        return Image.new("RGB", (CELL, CELL), PALE)


def write_sheet(
    plan: Plan, folder: EvaluationFolder, results: Iterable[Record], most: int
) -> Image.Image:
    """The sheet of the first `most` pictures by name, also saved as sheet.png."""
    by_picture: dict[str, dict[str, Record]] = {}
    for record in results:
        by_picture.setdefault(record["picture"], {})[record["method"]] = record
    grid = [
        [
            Cell(plan.pictures / name, name, ""),
            *(_cell(folder, by_picture[name].get(method)) for method in plan.methods),
        ]
        for name in sorted(by_picture)[:most]
    ]
    sheet = draw_sheet(["original", *plan.methods], grid)
    folder.save(png_file(sheet), folder.path / "sheet.png")
    return sheet


def _cell(folder: EvaluationFolder, record: Record | None) -> Cell:
    if record is None:
        return Cell(None, "", "")
    if "error" in record:
        return Cell(None, "error", record["error"])
    # One picture is shown, so the similarity is its own, not the mean.
    shown = folder.path / record["images"][0]
    return Cell(shown, f"judge {record['judged'][0]:.3f}", record["prompt"])
