"""Files that are not a picture, half a picture or too large: an error that names the file."""

from __future__ import annotations

import io
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import EpsImagePlugin, GifImagePlugin, Image

from pez_core import open_picture, pictures
from pez_core.errors import PictureError
from pez_core.picture_files import png


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
    """A third of a file is damaged, and not a third of a picture."""
    data, path = _saved(suffix, tmp_path), tmp_path / f"third.{suffix}"
    path.write_bytes(data[: len(data) // 3])
    with pytest.raises(PictureError, match=f"{re.escape(str(path))}: .*damaged"):
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


@pytest.mark.parametrize(
    ("mode", "options"),
    [("RGB", {"suffix": "webp"}), ("RGB", {"suffix": "jpg", "progressive": True}),
     ("F", {"suffix": "tif"}), ("RGBA", {"suffix": "png"}),
     ("L", {"suffix": "tif", "tiffinfo": {278: 60}, "compression": "tiff_lzw"})],
)  # fmt: skip
def test_what_takes_too_much_memory_is_refused(
    mode: str, options: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the bytes of its decoder, before a pixel is decoded; a JPEG in one scan takes none."""
    path = tmp_path / f"large.{options.pop('suffix')}"
    Image.new(mode, (80, 60)).save(path, **options)
    assert open_picture(path).size == (80, 60)
    monkeypatch.setattr(pictures, "MOST_BYTES", 80 * 60)
    with pytest.raises(PictureError, match="80 x 60 pixels take too much memory as"):
        open_picture(path)


def test_frames_and_pages_are_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture of a million frames is as fast as one of two: the second one is the last looked
    at."""
    frames = [Image.effect_noise((16, 16), 90).convert("P") for _ in range(30)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    seen, seek = list[int](), GifImagePlugin.GifImageFile._seek

    def counted(self: GifImagePlugin.GifImageFile, frame: int, *rest: bool) -> None:
        seen.append(frame)
        seek(self, frame, *rest)

    monkeypatch.setattr(GifImagePlugin.GifImageFile, "_seek", counted)
    open_picture(tmp_path / "a.gif")
    assert max(seen) == 1


@pytest.mark.parametrize("exif", [b"Exif\0\0" + b"II*\0\xff\xff\xff\xff", b"Exif\0\0rubbish", b"x"])
def test_broken_exif_is_not_read(exif: bytes, tmp_path: Path) -> None:
    """It says how the picture lies, and if it says nothing the picture is upright."""
    picture = Image.effect_noise((16, 16), 90).convert("RGB")
    for suffix in ("jpg", "webp"):
        good, bad = tmp_path / f"good.{suffix}", tmp_path / f"bad.{suffix}"
        picture.save(good)
        picture.save(bad, exif=exif)
        assert open_picture(bad).tobytes() == open_picture(good).tobytes()


def test_lab_is_a_colour_space(tmp_path: Path) -> None:
    """Of print: without colour it is grey, and with more red it is redder."""
    for colours, grey in (((200, 128, 128), True), ((200, 190, 128), False)):
        Image.new("LAB", (16, 16), colours).save(tmp_path / "lab.tif")
        red, green, blue = open_picture(tmp_path / "lab.tif").getpixel((3, 3))
        assert (abs(red - green) < 3 and abs(red - blue) < 3) == grey
        assert red > 180


def test_postscript_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow would start Ghostscript for it, whatever its name; this program never ends."""
    path = tmp_path / "looks-like.png"
    path.write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\n%%EndComments\n{} loop\n%%EOF\n"
    )
    started: list[object] = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *args, **_: started.append(args))
    with pytest.raises(PictureError, match=f"{re.escape(str(path))}: EPS, .* export it as PNG"):
        open_picture(path)
    assert not started


def _progressive(scans: int) -> bytes:
    """A JPEG whose last scan is repeated until it has so many; encoders make 10."""
    file = io.BytesIO()
    Image.effect_noise((40, 40), 90).convert("RGB").save(file, "JPEG", progressive=True)
    data = file.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * (scans - data.count(b"\xff\xda")) + data[-2:]


def test_a_jpeg_of_very_many_scans_is_refused(tmp_path: Path) -> None:
    """Each takes the time of a whole picture: a small file could take hours. What follows the end
    of the picture is not counted, such as a film or more pictures."""
    path = tmp_path / "scans.jpg"
    for scans in (10, 100):
        path.write_bytes(_progressive(scans) + b"\xff\xda" * 500)
        assert open_picture(path).size == (40, 40)
    # In a comment, the sign of the end is none.
    start, comment = _progressive(101), b"\xff\xfe\x00\x06\xff\xd9\xff\xd9"
    place = start.index(b"\xff\xda", start.index(b"\xff\xda") + 2)
    for data in (start, start[:place] + comment + start[place:], start[:-2]):
        path.write_bytes(data)
        with pytest.raises(PictureError, match=f"{re.escape(str(path))}: a JPEG of 101 scans"):
            open_picture(path)


def test_a_png_of_very_many_chunks_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are read one by one."""
    monkeypatch.setattr(png, "MOST_CHUNKS", 50)
    whole = _saved("png", tmp_path)
    path, empty = tmp_path / "chunks.png", struct.pack(">I", 0) + b"teXt\0\0\0\0"
    path.write_bytes(whole[:33] + empty * 40 + whole[33:])
    assert open_picture(path).size == (50, 40)
    path.write_bytes(whole[:33] + empty * 60 + whole[33:])
    with pytest.raises(PictureError, match="more than 50 chunks"):
        open_picture(path)
