"""What the first bytes of a file say about it if Pillow does not know it: which package reads it,
or what it is instead of a picture."""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

HEAD = 4096  # bytes that are looked at

_HEIF = frozenset(b"heic heix heim heis hevc hevx hevm hevs mif1 mif2 msf1".split())
_MODULES = {"pillow-heif": "pillow_heif", "pillow-jxl-plugin": "pillow_jxl"}
_EXPORT = "export it as PNG"
_FRAME = "save a frame as PNG"
_PICTURES = (b"\xff\xd8", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_OTHERS = (
    (b"%PDF", f"a PDF document: {_EXPORT}"),
    (b"%!PS", f"a PostScript document: {_EXPORT}"),
    (b"\x1aE\xdf\xa3", f"a video: {_FRAME}"),
    (b"\0\0\x01\xba", f"a video: {_FRAME}"),
    (b"\0\0\x01\xb3", f"a video: {_FRAME}"),
    (b"PK\x03\x04", "an archive or an office document: take the picture out of it"),
    (b"\x1f\x8b", "a compressed file: unpack it"),
    (b"version https://git-lfs", "the pointer of Git LFS: run `git lfs pull`"),
)


def _brands(head: bytes) -> list[bytes]:
    """The brands of a file in the container of HEIF, AVIF and MP4, its own first; [] for others."""
    if head[4:8] != b"ftyp":
        return []
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return [head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))]


def package_of(head: bytes) -> tuple[str, str] | None:
    """The kind of a picture and the package that reads it, if Pillow alone does not."""
    brands = _brands(head)
    if any(brand in (b"avif", b"avis") for brand in brands):
        return "AVIF", "pillow>=11.3"
    if any(brand in _HEIF for brand in brands):
        return "HEIC", "pillow-heif"
    if head.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")):
        return "JPEG XL", "pillow-jxl-plugin"
    return None


def is_installed(package: str) -> bool:
    return package in _MODULES and find_spec(_MODULES[package]) is not None


def register(package: str) -> bool:
    """Whether the package is installed; it then reads pictures for Pillow from now on."""
    if not is_installed(package):
        return False
    module = import_module(_MODULES[package])  # pillow_jxl registers itself
    opener: Callable[[], None] | None = getattr(module, "register_heif_opener", None)
    if opener is not None:
        opener()
    return True


def starts_like_picture(head: bytes) -> bool:
    """Whether a file begins like a picture of a kind that Pillow reads."""
    return head.startswith(_PICTURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def describe(head: bytes) -> str:
    """What a file is that is not a picture, and what to do; "" if nobody knows."""
    if not head:
        return "the file is empty"
    for start, what in _OTHERS:
        if head.startswith(start):
            return f"it is {what}"
    if _brands(head) or (head[:4] == b"RIFF" and head[8:12] == b"AVI "):
        return f"it is a video: {_FRAME}"
    return _describe_text(head)


def _describe_text(head: bytes) -> str:
    try:
        # In steps, because the head may end within a character.
        text = getincrementaldecoder("utf-8-sig")().decode(head).lstrip().lower()
    except UnicodeDecodeError:
        return ""
    if "\0" in text:
        return ""
    if "<svg" in text:
        return f"it is an SVG drawing: {_EXPORT}"
    if text.startswith(("<!doctype html", "<html")):
        return "it is a web page: download the picture itself"
    return "it is a text"
