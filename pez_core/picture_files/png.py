"""A PNG without its metadata.

Pillow decompresses profiles and texts when it opens a PNG, and refuses those beyond a limit that is
one for the whole process. None of them changes a pixel here, so Pillow does not get to see them.
"""

from __future__ import annotations

import io
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from typing import BinaryIO

MAGIC = b"\x89PNG\r\n\x1a\n"
# What says how the picture looks: transparency, animation and orientation. Of the texts, those in
# which Pillow looks for the orientation.
_KEPT = frozenset((b"tRNS", b"gAMA", b"acTL", b"fcTL", b"fdAT", b"eXIf"))
_TEXTS = frozenset((b"tEXt", b"zTXt", b"iTXt"))
_KEYWORDS = frozenset((b"exif", b"Raw profile type exif", b"XML:com.adobe.xmp"))
MOST_CHUNKS = 500_000  # Pillow reads them one by one; the largest picture comes in 200,000
_MOST = 2**20  # bytes of a text or of eXIf; Pillow's own limit for texts


class Parts(io.RawIOBase):
    """Parts of a file as a file of their own.

    parts: the start and the length of each.
    """

    def __init__(self, file: BinaryIO, parts: list[tuple[int, int]]) -> None:
        self._file, self._parts = file, parts
        self._ends = list(accumulate(length for _, length in parts))
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        size = self._ends[-1] if self._ends else 0
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        number = bisect_right(self._ends, self._at)
        if number == len(self._parts):
            return 0
        left = self._ends[number] - self._at
        self._file.seek(sum(self._parts[number]) - left)
        data = self._file.read(min(left, len(buffer)))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def without_metadata(file: BinaryIO) -> BinaryIO:
    """A PNG without what does not change its look; any other file as it is.

    Raises ValueError for a PNG of more than MOST_CHUNKS chunks.
    """
    if file.read(len(MAGIC)) != MAGIC:
        file.seek(0)
        return file
    parts = [(0, len(MAGIC))]
    for start, length in _kept(file):
        before, size = parts[-1]
        if before + size == start:
            parts[-1] = before, size + length
        else:
            parts.append((start, length))
    return io.BufferedReader(Parts(file, parts))


def _kept(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """The start and the length of each chunk that is kept."""
    start, pictured = len(MAGIC), False
    for _ in range(MOST_CHUNKS):
        file.seek(start)
        head = file.read(8)
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        pictured |= kind == b"IDAT"
        if len(head) < 8 or kind == b"IEND" or (pictured and kind == b"fcTL"):
            yield start, 2**62  # the rest: the end, or frames that nobody reads
            return
        whole = 8 + length + 4  # with its checksum
        critical = not kind[0] & 0x20
        if critical or (kind in _KEPT and length <= _MOST) or _orients(file, kind, length):
            yield start, whole
        start += whole
    raise ValueError(f"a PNG of more than {MOST_CHUNKS:,} chunks")


def _orients(file: BinaryIO, kind: bytes, length: int) -> bool:
    """Whether a chunk is a text that may hold the orientation, and small enough for Pillow. file:
    stands at the chunk's content."""
    if kind not in _TEXTS or length > _MOST:
        return False
    content = file.read(length)
    keyword, _, rest = content.partition(b"\0")
    if keyword not in _KEYWORDS:
        return False
    if kind == b"zTXt":
        return _expands_little(rest[1:])
    if kind == b"iTXt" and rest[:1] == b"\1":
        return _expands_little(rest[2:].split(b"\0", 2)[-1])
    return True


def _expands_little(data: bytes) -> bool:
    unpacking = zlib.decompressobj()
    try:
        unpacking.decompress(data, _MOST)
    except zlib.error:
        return False
    return not unpacking.unconsumed_tail
