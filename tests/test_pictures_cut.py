"""Pictures that end too early are seen as a viewer shows them, if at least half is there."""

from __future__ import annotations

import io
import logging
import re
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from pez_core import open_picture
from pez_core.errors import PictureError

FORMATS = {
    "jpg": {}, "progressive.jpg": {"progressive": True}, "grey.jpg": {"grey": True}, "png": {},
    "gif": {}, "bmp": {}, "tif": {}, "ppm": {}, "tga": {},
}  # fmt: skip


def saved(kind: str, image: Image.Image) -> bytes:
    buffer, options = io.BytesIO(), dict(FORMATS[kind])
    if options.pop("grey", False):
        image = image.convert("L")
    suffix = kind.rpartition(".")[2]
    image.save(buffer, Image.registered_extensions()["." + suffix], **options)
    return buffer.getvalue()


@pytest.fixture
def picture() -> Image.Image:
    """Coloured noise, of which every row is different."""
    noise = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((160, 120))


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("cut", [40, 100, 200])
def test_what_is_there_is_seen(
    kind: str, cut: int, picture: Image.Image, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The first half is the whole picture's, and one warning names the file."""
    data, path = saved(kind, picture), tmp_path / f"cut.{kind}"
    path.write_bytes(data)
    with caplog.at_level(logging.WARNING, logger="pez_core"):
        whole = open_picture(path)
        assert not caplog.records
        path.write_bytes(data[:-cut])
        seen = open_picture(path)
    assert seen.size == whole.size and seen.mode == "RGB"
    there = (0, 40, 160, 80)
    difference = np.asarray(seen.crop(there), dtype=int) - np.asarray(whole.crop(there), dtype=int)
    assert abs(difference).mean() < 2  # the last scan of a JPEG makes it sharper
    (record,) = caplog.records
    assert re.search(rf"{re.escape(str(path))} is damaged or cut short: \d+% of", record.message)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.35, 0.7])
def test_less_than_half_is_refused(
    kind: str, share: float, picture: Image.Image, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The rows are counted: the error and the warning say how many."""
    data, path = saved(kind, picture), tmp_path / f"cut.{kind}"
    path.write_bytes(data[: int(len(data) * share)])
    if share < 0.5 and kind != "progressive.jpg":
        with pytest.raises(PictureError, match=r"only \d\d% of its rows") as told:
            open_picture(path)
        found = str(told.value)
    else:
        open_picture(path)
        found = caplog.text
    percent = int(re.findall(r"(\d+)% of its rows", found)[0])
    # Of a progressive JPEG all rows are there, less sharp.
    assert abs(percent - (100 if kind == "progressive.jpg" else 100 * share)) < 16


@pytest.mark.parametrize("colour", ["black", "gray", "white"])
@pytest.mark.parametrize("kind", ["jpg", "png", "gif", "bmp", "tif"])
def test_a_plain_picture_is_no_missing_one(kind: str, colour: str, tmp_path: Path) -> None:
    """Rows of the colour that a decoder leaves are there if the file holds them."""
    image = Image.effect_noise((160, 120), 90).convert("RGB")
    image.paste(colour, (0, 30, 160, 118))
    data, path = saved(kind, image), tmp_path / f"cut.{kind}"
    path.write_bytes(data[:-60])
    assert open_picture(path).size == (160, 120)


def test_nothing_but_a_header_is_damaged(picture: Image.Image, tmp_path: Path) -> None:
    """Of every kind, the kinds included of which Pillow decodes no part."""
    for kind in (*FORMATS, "webp", "tif"):
        path = tmp_path / f"head.{kind}"
        picture.save(path)
        path.write_bytes(path.read_bytes()[:40])
        with pytest.raises(PictureError, match=f"{re.escape(str(path))}: .*damaged"):
            open_picture(path)


def test_pillows_switch_is_put_back(picture: Image.Image, tmp_path: Path) -> None:
    """Whatever another library has set, a cut picture is told apart from a whole one."""
    good, bad = tmp_path / "good.jpg", tmp_path / "bad.jpg"
    picture.save(good)
    bad.write_bytes(good.read_bytes()[:-3000])
    for before in (True, False):
        ImageFile.LOAD_TRUNCATED_IMAGES = before
        try:
            open_picture(good)
            with pytest.raises(PictureError, match="damaged"):
                open_picture(bad)
            assert ImageFile.LOAD_TRUNCATED_IMAGES is before
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = False


def test_threads_do_not_see_each_others_switch(
    picture: Image.Image, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each cut picture of several threads gives its warning, and the switch is off at the end."""
    data = saved("jpg", picture)
    paths = [tmp_path / f"{number}.jpg" for number in range(24)]
    for path in paths:
        path.write_bytes(data[:-100])
    threads = [
        threading.Thread(target=lambda own=own: [open_picture(path) for path in own])
        for own in (paths[::3], paths[1::3], paths[2::3])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()
    assert len(caplog.records) == len(paths)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False
