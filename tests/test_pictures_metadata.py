"""What a file says besides its pixels does not matter, however much it is; only the orientation
does."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin, TiffImagePlugin

from pez_core import open_picture
from pez_core.picture_files.png import without_metadata

MEGABYTE = 2**20
NOISE = np.random.default_rng(0).bytes(4 * MEGABYTE)


@pytest.fixture
def picture() -> Image.Image:
    return Image.effect_noise((40, 24), 90).convert("RGB")


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def with_chunks(image: Image.Image, *chunks: bytes, at_end: bool = False) -> bytes:
    """A PNG with further chunks after its header, or before its end."""
    buffer = io.BytesIO()
    image.save(buffer, "png")
    data = buffer.getvalue()
    at = len(data) - 12 if at_end else 33
    return data[:at] + b"".join(chunks) + data[at:]


TEXTS = {
    "a profile": chunk(b"iCCP", b"name\0\0" + zlib.compress(NOISE)),
    "a profile of zeros": chunk(b"iCCP", b"name\0\0" + zlib.compress(bytes(8 * MEGABYTE))),
    "zTXt": chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(4 * MEGABYTE))),
    "iTXt": chunk(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(b"a" * 4 * MEGABYTE)),
    "plain iTXt": chunk(b"iTXt", b"workflow\0\0\0\0\0" + b"{" * 4 * MEGABYTE),
    "XMP": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b" " * 4 * MEGABYTE)),
    "exif as text": chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"a" * 3000000)),
    "broken exif": chunk(b"eXIf", NOISE[:5000]),
    "own chunks": chunk(b"mkBF", NOISE),
    "broken zlib": chunk(b"zTXt", b"XML:com.adobe.xmp\0\0" + NOISE[:999]),
}  # fmt: skip


@pytest.mark.parametrize("at_end", [False, True])
@pytest.mark.parametrize("kind", TEXTS)
def test_a_png_with_much_besides(
    kind: str, at_end: bool, picture: Image.Image, tmp_path: Path
) -> None:
    """Profiles, texts and the chunks of other programs, before the pixels and after them; Pillow's
    limits are as they were."""
    before = PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY
    path = tmp_path / "much.png"
    path.write_bytes(with_chunks(picture, TEXTS[kind], at_end=at_end))
    assert open_picture(path).tobytes() == picture.tobytes()
    assert before == (PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY)


def test_metadata_takes_no_memory(picture: Image.Image, tmp_path: Path) -> None:
    """It is passed by, not read: texts of more than 64 MB, which Pillow refuses, and a bomb."""
    path, text = tmp_path / "much.png", chunk(b"tEXt", b"parameters\0" + b"a" * 4 * MEGABYTE)
    path.write_bytes(with_chunks(picture, *[text] * 17, TEXTS["a profile of zeros"]))
    open_picture(path)  # imports what it needs
    tracemalloc.start()
    try:
        assert open_picture(path).tobytes() == picture.tobytes()
        assert tracemalloc.get_traced_memory()[1] < 2 * MEGABYTE
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("where", ["eXIf", "eXIf at the end", "XMP", "text"])
def test_the_orientation_is_kept(where: str, picture: Image.Image, tmp_path: Path) -> None:
    """Wherever Pillow looks for it in a PNG, next to a profile that is too large."""
    exif = Image.Exif()
    exif[0x0112] = 6
    xmp = b'XML:com.adobe.xmp\0%s\0\0\0<x tiff:Orientation="6"/>'
    lines = "\nexif\n  99\n" + exif.tobytes().hex()
    kept = {
        "eXIf": chunk(b"eXIf", exif.tobytes()[6:]),
        "eXIf at the end": chunk(b"eXIf", exif.tobytes()[6:]),
        "XMP": chunk(b"iTXt", xmp % b"\0"),
        "text": chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(lines.encode())),
    }[where]
    data = with_chunks(picture, kept, TEXTS["a profile"], at_end=where.endswith("end"))
    (tmp_path / "turned.png").write_bytes(data)
    turned = picture.transpose(Image.Transpose.ROTATE_270)
    assert open_picture(tmp_path / "turned.png").tobytes() == turned.tobytes()


def test_a_png_without_metadata_is_whole(picture: Image.Image) -> None:
    """To the byte, in steps of any size; what is not a PNG comes back unchanged."""
    plain, much = with_chunks(picture), with_chunks(picture, TEXTS["zTXt"], TEXTS["own chunks"])
    assert without_metadata(io.BytesIO(much)).read() == plain
    file = without_metadata(io.BytesIO(much))
    assert b"".join(iter(lambda: file.read(7), b"")) == plain
    assert file.seek(20) == 20 and file.read(9) == plain[20:29]
    other = io.BytesIO(b"II*\0")
    assert without_metadata(other) is other and other.tell() == 0


@pytest.mark.parametrize("suffix", ["jpg", "webp", "tif", "gif"])
def test_other_files_with_much_besides(suffix: str, picture: Image.Image, tmp_path: Path) -> None:
    """A profile, EXIF and a comment of megabytes, and EXIF that is broken."""
    small, path = tmp_path / f"plain.{suffix}", tmp_path / f"much.{suffix}"
    picture.save(small)
    options = {"icc_profile": NOISE, "comment": b"a" * (60_000 if suffix == "jpg" else MEGABYTE)}
    if suffix == "tif":
        options = {"icc_profile": NOISE, "tiffinfo": TiffImagePlugin.ImageFileDirectory_v2()}
        options["tiffinfo"][65000] = NOISE
        options["tiffinfo"].tagtype[65000] = 7
    elif suffix == "webp":
        options = {"icc_profile": NOISE, "exif": NOISE, "xmp": NOISE}
    picture.save(path, **options)
    if suffix == "jpg":
        data = path.read_bytes()
        segments = b"".join(b"\xff\xe1\xff\xffExif\0\0" + NOISE[:65527] for _ in range(60))
        path.write_bytes(data[:2] + segments + data[2:])
    assert path.stat().st_size > 3 * MEGABYTE or suffix == "gif"
    assert open_picture(path).tobytes() == open_picture(small).tobytes()
