"""Pictures that end too early: how many of their rows are there.

Pillow decodes such a picture when a switch of its own is on. The switch is one for the whole
process, so a lock lets one picture at a time through, and the switch is put back after each.
But: another library that decodes pictures in another thread meanwhile sees the switch, too.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from PIL import Image, ImageFile, JpegImagePlugin

_LOCK = threading.Lock()
_BAND = 2**20  # pixels that are compared together
_MOST = 2**28  # bytes of a JPEG in which scans are counted
# Within a scan, 0xff stands before 0, or before the number of a restart.
_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
_SCAN, _END = b"\xda", b"\xd9"


@contextmanager
def cut_pictures(allowed: bool) -> Iterator[None]:
    """Within it, Pillow decodes pictures that end too early, or refuses them."""
    with _LOCK:
        before = ImageFile.LOAD_TRUNCATED_IMAGES
        ImageFile.LOAD_TRUNCATED_IMAGES = allowed
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = before


def share_of_rows(image: Image.Image) -> float:
    """The share of a picture's rows that its file holds, 0 to 1. A row of which a part is there
    counts.

    The picture is decoded onto noise: a row that is still the noise was not in the file. Where a
    JPEG comes in several scans, its first one holds all rows, less sharp.
    image: opened, not loaded. Raises OSError if nothing of a part can be decoded.
    """
    if not isinstance(image, ImageFile.ImageFile) or not image.tile:
        raise OSError("its decoder takes whole files only")
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        file: Any = image.fp
        if scans_of(image) > 1:
            return 1.0
        # Without it Pillow ends the file itself, and libjpeg makes the missing rows grey.
        image.load_read = file.read  # type: ignore[method-assign]
    boxes = [tile[1] or (0, 0, *image.size) for tile in image.tile]
    left, top, right, bottom = (
        pick(box[side] for box in boxes) for side, pick in enumerate((min, min, max, max))
    )
    prepare, found = image.load_prepare, list[Image.Image]()

    def prepare_on_noise() -> None:
        prepare()
        found.append(_put_noise(image.im))

    image.load_prepare = prepare_on_noise  # type: ignore[method-assign]
    image.load_end = lambda: None  # type: ignore[method-assign]  # a TIFF would be turned there
    image.load()
    noise = np.asarray(found[0].crop((left, 0, right, 1)))
    missing = 0
    for upper in range(top, bottom, found[0].height):
        lower = min(upper + found[0].height, bottom)
        rows = np.asarray(image.crop((left, upper, right, lower)))
        missing += int((rows == noise).reshape(lower - upper, -1).all(axis=1).sum())
    return 1 - missing / (bottom - top)


def _put_noise(core: Any) -> Image.Image:
    """Fills a picture's memory with rows of noise that are all the same. Returns some of them."""
    width, height = core.size
    rows = max(1, min(height, _BAND // width))
    row = Image.effect_noise((width, 1), 255).convert(core.mode)
    band = row.resize((width, rows), Image.Resampling.NEAREST)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        part = band if bottom - top == rows else band.crop((0, 0, width, bottom - top))
        core.paste(part.im, (0, top, width, bottom))
    return band


def scans_of(image: Image.Image) -> int:
    """How many scans an opened JPEG has, up to its end: a film or other pictures may follow. 1 for
    other formats."""
    file: Any = getattr(image, "fp", None)
    if not isinstance(image, JpegImagePlugin.JpegImageFile) or file is None:
        return 1
    here = file.tell()  # its header has been read, which ends with the start of a scan
    data = file.read(_MOST)
    file.seek(here)
    found, at = 1, 0
    while (marker := _MARKER.search(data, at)) and marker[1] != _END:
        found += marker[1] == _SCAN
        at = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
    return found
