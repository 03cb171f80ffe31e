"""What the names of pictures look like: their endings, and how a name is shown in a message."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

# A name that ends so is a picture's, not a text. No word of a prompt ends in one of these: Pillow's
# own list also has `.fit`, `.im` and `.ps`.
_READ = """
.apng .avif .avifs .bmp .dds .dib .gif .icns .ico .j2c .j2k .jfif .jif .jp2 .jpc .jpe .jpeg .jpf
.jpg .jpx .mpo .pbm .pcx .pfm .pgm .png .pnm .ppm .psd .qoi .sgi .tga .tif .tiff .webp .xbm .xpm
"""
READ = frozenset(_READ.split())
# The endings that need a package besides Pillow.
PACKAGES = {
    **dict.fromkeys((".heic", ".heics", ".heif", ".heifs", ".hif"), "pillow-heif"),
    ".jxl": "pillow-jxl-plugin",
}
# Drawings and the raw files of cameras, which Pillow does not read.
_UNREAD = ".arw .cr2 .cr3 .dng .nef .orf .raf .rw2 .svg .svgz"
UNREAD = frozenset(_UNREAD.split())

# Formats that Pillow recognises and cannot decode by itself: EPS starts Ghostscript.
NOT_DECODED = frozenset(("BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"))
_URL = re.compile(r"(?:https?|ftps?|s3|gs|file)://|data:image/", re.IGNORECASE)
_MOST_SHOWN = 200  # characters of a name in a message


def ending(name: str) -> str:
    """The ending of a name in small letters, with its dot; "" without one."""
    return Path(name.strip()).suffix.lower()


def ends_like_picture(name: str) -> bool:
    return ending(name) in READ or ending(name) in PACKAGES or ending(name) in UNREAD


def folder_endings() -> frozenset[str]:
    """The endings of the files that count as pictures in a folder: all that Pillow decodes here,
    and those that need a package."""
    from PIL import Image

    Image.init()
    decoded = Image.OPEN.keys() - NOT_DECODED
    own = (suffix for suffix, kind in Image.registered_extensions().items() if kind in decoded)
    return READ | PACKAGES.keys() | frozenset(own)


def count_endings(names: Iterable[str]) -> dict[str, int]:
    """How many names have each ending, the most frequent first."""
    counts: dict[str, int] = {}
    for name in names:
        suffix = ending(name)
        counts[suffix] = counts.get(suffix, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def is_url(name: str) -> bool:
    return bool(_URL.match(name))


def shown(name: str) -> str:
    """A name for a message: its middle is left out if it is very long."""
    if len(name) <= _MOST_SHOWN:
        return name
    half = _MOST_SHOWN // 2
    return f"{name[:half]}…{name[-half:]}"
