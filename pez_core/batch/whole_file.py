"""A file that is whole or absent, whatever ends the process."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which gets its name when it is on the disk. Raises OSError if it cannot be
    written; then nothing is left of it."""
    # The same name in the next run, which then takes the place of what a kill left; short, because
    # the file's own name may be as long as a name can be.
    part = path.with_name(f".pez-{zlib.crc32(os.fsencode(path.name)):08x}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:  # also Ctrl-C, and what writes the content
        with suppress(OSError):
            part.unlink()
        raise
