"""Whether an argument names a picture, and what is wrong with a name that leads to none."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from ..errors import PictureError
from .names import ends_like_picture, is_url, shortened

# A name that can only be a path, such as ./fox or C:\\photos\\fox.
_PATH = re.compile(r"(?:\.{1,2}[/\\]|~[/\\]|[A-Za-z]:[/\\]|/[^/\s]+/)\S+$")


def is_picture(name: str) -> bool:
    """Whether an argument names a picture, not a text: a file or a pipe, or a name that ends like a
    picture or can only be a path.

    Raises PictureError for the name of a missing picture, for the path of a folder, and for a URL.
    """
    path = Path(name)
    with suppress(OSError, ValueError):  # a long text is not a possible file name
        if not path.is_dir():
            if path.exists():
                return True
        elif "/" in name or os.sep in name or ends_like_picture(name):
            raise _no_picture(name)
    if ends_like_picture(name) or is_url(name) or _PATH.match(name):
        raise _no_picture(name)
    return False


def existing(path: str | Path) -> Path:
    """The path of a file or a pipe. Raises PictureError when there is none."""
    with suppress(OSError, ValueError):  # a name that no file can have
        if Path(path).exists() and not Path(path).is_dir():
            return Path(path)
    raise _no_picture(str(path))


def _no_picture(name: str) -> PictureError:
    short = shortened(name)
    with suppress(OSError, ValueError):
        if Path(name).is_dir():
            return PictureError(
                f"{short}: a folder, not a picture: name the pictures in it, or use "
                f"`pez invert-folder {short}`"
            )
    if is_url(name):
        if name.lower().startswith("file:"):
            return PictureError(f"{short}: no such picture: give its path, without file://")
        return PictureError(f"{short}: pictures are not downloaded: save it as a file first")
    return PictureError(f"{short}: no such picture")
