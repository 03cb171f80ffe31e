"""A file that is whole or absent, whatever ends the process."""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import get_ident
from typing import BinaryIO

LEFT_AFTER = 3600  # seconds; no file takes so long to be written
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which gets its name when it is on the disk. Raises OSError if it cannot be
    written; then nothing is left of it."""
    # A name of its own, for several writers; short, because the file's own name may be as long as a
    # name can be.
    start = f".pez-{zlib.crc32(os.fsencode(path.name)):08x}-"
    part = path.with_name(f"{start}{os.getpid()}-{get_ident()}.part")
    with suppress(OSError):
        for left in path.parent.glob(f"{start}*.part"):  # by a kill
            old = time.time() - left.lstat().st_mtime > LEFT_AFTER
            if old or left == part or not _is_written(left):
                left.unlink()
    try:
        with os.fdopen(os.open(part, _NEW, 0o666), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:  # also Ctrl-C, and what writes the content
        with suppress(OSError):
            part.unlink()
        raise


def _is_written(part: Path) -> bool:
    """Whether the process that began a part still runs; True where that is not known."""
    if os.name != "posix":
        return True  # os.kill would end it
    try:
        os.kill(int(part.name.split("-")[2]), 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError, IndexError):
        return True
    return True
