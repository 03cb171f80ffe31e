"""Targets by the names of the command line: the file of a picture, a pattern of such files, `-` for
a picture from standard input, or a text."""

from __future__ import annotations

import glob
import logging
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import PictureError
from ..picture_files.names import ends_like_picture, is_url, shortened
from ..picture_files.paths import is_picture
from ..text.template import MOST_TOKENS

if TYPE_CHECKING:
    from PIL import Image

    from ..clip.models import ClipModel
    from ..targets import Targets

    Named = tuple[str, Image.Image | None]  # a picture with its file's name, or a text

log = logging.getLogger(__name__)

STDIN, _STDIN_SHOWN = "-", "standard input"


def expanded(names: Iterable[str]) -> tuple[str, ...]:
    """The names of pictures, with the files of each pattern in its place, sorted: a shell may leave
    patterns to the program. Raises PictureError for a pattern without files."""
    return tuple(found for name in names for found in _matches(name) or [name])


def expanded_pictures(name: str) -> tuple[str, ...]:
    """What a picture or a text stands for: the files of a pattern, else itself. A text is no
    pattern: that ends like a picture, or has a slash and fits to files.

    Raises PictureError for a pattern that ends like a picture and has no files.
    """
    if ends_like_picture(name):
        return expanded([name])
    if "/" in name or os.sep in name:
        with suppress(PictureError):
            return expanded([name])
    return (name,)


def _matches(name: str) -> list[str]:
    if not glob.has_magic(name) or is_url(name):
        return []
    found = list[str]()
    with suppress(OSError, ValueError):  # no possible file name
        if os.path.lexists(name):
            return []
        found = sorted(glob.glob(name, recursive=True))
    if not found:
        raise PictureError(f"no picture matches {shortened(name)}")
    return found


def names_picture(name: str) -> bool:
    """Whether an argument names a picture, not a text. Raises PictureError as `is_picture` does."""
    return name == STDIN or is_picture(name)


def open_named(name: str) -> Image.Image:
    """The picture of a name, as RGB. Raises PictureError."""
    from ..pictures import open_picture

    return decode_named(read_named(name), name) if name == STDIN else open_picture(name)


def read_named(name: str) -> bytes:
    """The bytes of a picture, which may be read only once. Raises PictureError."""
    from ..pictures import read_bytes, read_picture

    if name != STDIN:
        return read_picture(name)
    if sys.stdin is None or sys.stdin.isatty():
        raise PictureError("there is no picture on standard input: pez … - < picture.png")
    data = read_bytes(sys.stdin.buffer, _STDIN_SHOWN)
    if not data:
        raise PictureError("there is no picture on standard input, or - is given twice")
    return data


def decode_named(data: bytes, name: str) -> Image.Image:
    """The picture in what `read_named` has read. Raises PictureError."""
    from ..pictures import decode_picture

    return decode_picture(data, _STDIN_SHOWN if name == STDIN else shortened(name))


def picture_or_text(name: str) -> Named:
    """The picture of that name where there is one, else the text.

    Raises PictureError for a missing file with a picture's ending, and as `open_named` does.
    """
    return name, open_named(name) if names_picture(name) else None


def named_targets(model: ClipModel, items: Sequence[Named], weights: Sequence[float]) -> Targets:
    """Targets of named pictures, and of texts where there is no picture, each with its weight."""
    import torch

    from ..targets import make_targets

    images = [image for _, image in items if image is not None]
    texts = [name for name, image in items if image is None]
    warn_of_cuts(texts, model)
    # One call for all pictures, because every call reads the image tower from disk.
    seen = iter(model.encode_pictures(images) if images else ())
    read = iter(model.encode_texts(texts) if texts else ())
    features = [next(read if image is None else seen) for _, image in items]
    return make_targets(torch.stack(features), weights, [name for name, _ in items])


def warn_of_cuts(texts: Sequence[str], model: ClipModel) -> None:
    """Warns of each text that is longer than CLIP reads."""
    for text in texts:
        if len(model.vocabulary.encode(text)) > MOST_TOKENS:
            log.warning("CLIP reads %d tokens: the rest of %.40r… is cut off", MOST_TOKENS, text)
