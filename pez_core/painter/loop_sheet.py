"""One picture of the whole loop: pictures, the words learned from them, what the words paint.

But: Pillow's own font has only Latin letters; others are drawn as boxes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from .picture_file import save_png
from .text_lines import wrapped

SIDE = 320  # pixels of each of the three squares
GAP = 44
MARGIN = 20
CAPTION = 26  # below the squares
INK, FAINT, PALE = "#222222", "#777777", "#e4e4e4"
FONTS = (30, 26, 22, 18, 15, 12)  # from the largest that fits


def draw_loop(
    originals: Sequence[Image.Image],
    prompt: str,
    similarity: float,
    painted: Sequence[Image.Image],
    painter: str,
) -> Image.Image:
    """The sheet, RGB. similarity: that of the prompt. painter: its name, for the caption."""
    width, height = 3 * SIDE + 2 * GAP + 2 * MARGIN, SIDE + CAPTION + 2 * MARGIN
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    corners = [(MARGIN + place * (SIDE + GAP), MARGIN) for place in range(3)]
    _paste_grid(sheet, originals, corners[0])
    _write(draw, prompt, corners[1])
    _paste_grid(sheet, painted, corners[2])
    for left, top in corners[:2]:
        _draw_arrow(draw, left + SIDE + GAP // 2, top + SIDE // 2)
    captions = ("given", f"learned, similarity {similarity:.4f}", f"painted by {painter}")
    small = ImageFont.load_default(14)
    for caption, (left, top) in zip(captions, corners, strict=True):
        spot = (left + SIDE // 2, top + SIDE + 8)
        (line,) = wrapped(caption, small, 1, SIDE)
        draw.text(spot, line, FAINT, small, anchor="ma")
    return sheet


def save_loop(sheet: Image.Image, path: Path, prompt: str) -> None:
    """Saves a sheet as PNG with its prompt. Raises ResultsError; then nothing is left of the
    file."""
    save_png(sheet, path, prompt)


def _paste_grid(sheet: Image.Image, images: Sequence[Image.Image], corner: tuple[int, int]) -> None:
    """Whole pictures, on white, in a square grid; nothing for a prompt that was learned from
    texts."""
    columns = max(1, math.ceil(math.sqrt(len(images))))
    side = SIDE // columns
    draw = ImageDraw.Draw(sheet)
    for place, image in enumerate(images):
        left, top = corner[0] + place % columns * side, corner[1] + place // columns * side
        cell = ImageOps.pad(
            image, (side - 4, side - 4), method=Image.Resampling.BICUBIC, color="white"
        )
        sheet.paste(cell, (left + 2, top + 2))
        # White pictures would have no visible border.
        draw.rectangle((left + 1, top + 1, left + side - 2, top + side - 2), outline=PALE)


def _write(draw: ImageDraw.ImageDraw, text: str, corner: tuple[int, int]) -> None:
    """The text in the middle of its square, in the largest font with which it fits."""
    for size in FONTS:
        font, high = ImageFont.load_default(size), round(size * 1.35)
        lines = wrapped(text, font, SIDE // high, SIDE)
        if " ".join(lines) == " ".join(text.split()):  # nothing is cut
            break
    top = corner[1] + (SIDE - len(lines) * high) // 2
    for number, line in enumerate(lines):
        spot = (corner[0] + SIDE // 2, top + number * high)
        draw.text(spot, line, INK, font, anchor="ma")


def _draw_arrow(draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
    draw.line((x - 12, y, x + 8, y), FAINT, 3)
    draw.polygon([(x + 4, y - 8), (x + 14, y), (x + 4, y + 8)], FAINT)
