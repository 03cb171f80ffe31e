"""Files that are not a picture, half a picture or too large: an error that names the file."""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from pez_core import open_picture
from pez_core.errors import PictureError


def _png_header(width: int, height: int) -> bytes:
    """A PNG that promises width × height pixels and holds none."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(20_000, 20_000), (13_500, 13_500), (1, 2**31 - 1)])
def test_an_immense_picture_is_refused_by_its_size(size: tuple[int, int], tmp_path: Path) -> None:
    """By what its header promises, without decoding a pixel: this file holds none."""
    path = tmp_path / "immense.png"
    path.write_bytes(_png_header(*size))
    with pytest.raises(
        PictureError, match=f"{re.escape(str(path))}.*pixels.*178,956,970.*make it smaller"
    ) as told:
        open_picture(path)
    assert "bomb" not in str(told.value)  # it is the user's own picture, not an attack


def test_what_is_not_a_picture_is_refused_by_name(tmp_path: Path) -> None:
    """Missing, a folder, an empty file, and a text named like a picture."""
    text, empty = tmp_path / "text.png", tmp_path / "empty.jpg"
    text.write_text("this is a text")
    empty.touch()
    cases = {
        tmp_path / "none.png": "no such picture",
        tmp_path: "a folder, not a picture",
        text: "not a picture that Pillow can read",
        empty: "not a picture that Pillow can read",
    }
    for path, message in cases.items():
        with pytest.raises(PictureError, match=f"{re.escape(str(path))}: {message}"):
            open_picture(path)


def _saved(suffix: str, folder: Path) -> bytes:
    path = folder / f"good.{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    return path.read_bytes()


FORMATS = ["png", "jpg", "gif", "webp", "bmp", "tif"]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_truncated_picture_is_refused(suffix: str, tmp_path: Path) -> None:
    """Half a file is damaged, and not half a picture."""
    data, path = _saved(suffix, tmp_path), tmp_path / f"half.{suffix}"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(PictureError, match=f"{re.escape(str(path))}: .*(damaged|not a picture)"):
        open_picture(path)


@pytest.mark.filterwarnings("ignore")  # Pillow's own, about odd metadata
@pytest.mark.parametrize("suffix", FORMATS)
def test_a_damaged_picture_is_a_picture_or_an_error(suffix: str, tmp_path: Path) -> None:
    """Whatever bytes are overwritten, nothing but a PictureError comes out."""
    good, path = _saved(suffix, tmp_path), tmp_path / f"bad.{suffix}"

    @settings(max_examples=80, suppress_health_check=list(HealthCheck))
    @example([(130, b"\x01")])  # a TIFF without dimensions
    @given(st.lists(st.tuples(st.integers(0, 200), st.binary(min_size=1, max_size=4)), min_size=1))
    def opens_or_refuses(changes: list[tuple[int, bytes]]) -> None:
        data = bytearray(good)
        for at, new in changes:
            data[at : at + len(new)] = new
        path.write_bytes(data)
        try:
            assert open_picture(path).mode == "RGB"
        except PictureError as error:
            assert str(path) in str(error)

    opens_or_refuses()
