"""The sheet of the loop: what stands where."""

from __future__ import annotations

from PIL import Image

from pez_core.painter.loop_sheet import GAP, MARGIN, SIDE, draw_loop

STEP = SIDE + GAP


def test_pictures_stand_left_and_what_is_painted_right() -> None:
    colours = ("red", "lime", "blue", "yellow")
    painted = [Image.new("RGB", (48, 48), colour) for colour in colours]
    sheet = draw_loop([Image.new("RGB", (48, 48), "cyan")], "a cat", 0.5, painted, "demo")
    middle = MARGIN + SIDE // 2
    assert sheet.getpixel((middle, middle)) == (0, 255, 255)
    corners = [(x, y) for y in (1, 3) for x in (1, 3)]
    left, quarter = MARGIN + 2 * STEP, SIDE // 4
    found = [sheet.getpixel((left + x * quarter, MARGIN + y * quarter)) for x, y in corners]
    assert found == [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)]


def test_words_alone_have_no_picture() -> None:
    sheet = draw_loop([], "a cat", 0.5, [Image.new("RGB", (48, 48), "red")], "demo")
    square = sheet.crop((MARGIN, MARGIN, MARGIN + SIDE - 8, MARGIN + SIDE))
    assert square.getcolors() == [(square.width * square.height, (255, 255, 255))]
    assert sheet.getpixel((MARGIN + 2 * STEP + SIDE // 2, MARGIN + SIDE // 2)) == (255, 0, 0)
