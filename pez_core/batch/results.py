"""The results of many pictures on disk: one JSON line for each result, safe against a kill at any
moment.

Each line is appended by one write and forced to the disk. So a kill leaves whole lines and at most
one torn line at the end, which is cut off when the file is opened again. Nothing else in the file
ever changes. A lock that ends with the process excludes a second process.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import ResultsError
from .whole_file import whole_file

log = logging.getLogger(__name__)

Record = dict[str, Any]  # {"picture": name, **LearnedPrompt.to_json()} or {"picture", "error"}
Key = Any  # the key of a record: its picture, or (picture, method)
START = b'{"picture": '  # the first bytes of every line
ANOTHER_WAY = "give the same settings, another --out, or --force to continue with the new ones"
# Settings that may differ between the lines of one file: the picture, the device, and the precision
# that a dtype of "auto" chose there. Also the avoided words, which follow from the model and the
# concepts; those must agree.
FREE = ("pictures", "device", "precision", "avoided_words")
_LOCKED_BYTE = 2**31 - 2  # on Windows a lock also blocks readers: a byte far after the end


def error_record(picture: str, error: Exception) -> Record:
    """The record of a picture without a prompt."""
    return {"picture": picture, "error": str(error)}


def decisive(record: Record) -> dict[str, Any]:
    """The inputs that determine a result: model, seed and settings, as read back from JSON."""
    settings = {k: v for k, v in record["settings"].items() if k not in FREE}
    request = {"model": record["model"], "seed": record["seed"], **settings}
    return dict(json.loads(json.dumps(request)))


class ResultsFile:
    """A results file, open and locked. `failed`: for every picture in it, whether its last line is
    an error.

    keys: the entries that identify a line; with several, the keys of `failed` are tuples of them.
    needs: the other entries of a line without an error.
    Raises ResultsError when it cannot be opened, is in use, or holds anything other than results.
    """

    def __init__(
        self, path: str | Path, keys: tuple[str, ...] = ("picture",), needs: Collection[str] = ()
    ) -> None:
        self.path, self._keys, self._needs = Path(path), keys, needs
        self.failed: dict[Key, bool] = {}
        self._requests: dict[str, dict[str, Any]] = {}  # every `decisive` of the file, by JSON
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        try:
            if self.path.exists() and not self.path.is_file():
                raise ResultsError(f"{self.path} is not a file: give --out the name of a file")
            self._file = os.open(self.path, flags, 0o666)
        except OSError as error:
            raise ResultsError(
                f"cannot open {self.path}: {error.strerror}; {way_to(error)}"
            ) from error
        except ValueError as error:  # a NUL, or a lone surrogate from Windows
            raise ResultsError(
                f"{ascii(str(path))} cannot be the name of a file: give another --out"
            ) from error
        try:
            _lock(self._file, self.path)
            self._read()
        except BaseException:
            self.close()
            raise

    def name(self, record: Record) -> Key:
        """The key of a record. Raises KeyError when an entry is missing."""
        names = tuple(record[key] for key in self._keys)
        return names if len(names) > 1 else names[0]

    def todo(self, names: Iterable[Key], again: bool = False) -> list[Key]:
        """The names without a line; with `again` also those whose last line is an error."""
        return [n for n in names if n not in self.failed or (again and self.failed[n])]

    def last(self) -> dict[Key, Record]:
        """The last line of each picture, read from the disk."""
        return {self.name(record): record for record in self._records()}

    def prompts(self) -> dict[Key, str]:
        """The prompt of each picture that has one, read from the disk."""
        found = ((self.name(record), record.get("prompt")) for record in self._records())
        return {name: prompt for name, prompt in found if isinstance(prompt, str)}

    def require(self, wanted: dict[str, Any], way_out: str = ANOTHER_WAY) -> None:
        """Raise ResultsError when a result in the file was made with other settings.

        wanted: the return value of `decisive`. way_out: the advice in the message.
        """
        for found in self._requests.values():
            keys = [k for k in {**found, **wanted} if found.get(k) != wanted.get(k)]
            if keys:
                changed = [f"{k} {_short(found.get(k))}, now {_short(wanted.get(k))}" for k in keys]
                raise ResultsError(
                    f"{self.path} holds results of other settings ({'; '.join(changed[:4])}): "
                    f"{way_out}"
                )

    def append(self, record: Record) -> None:
        """Append a line, and return when it is on the disk.

        Raises ResultsError when it cannot be written, for example on a full disk. The file then
        ends with its last whole line.
        """
        line = json.dumps(record).encode("ascii") + b"\n"
        end = os.fstat(self._file).st_size
        try:
            written = os.write(self._file, line)
            while written < len(line):  # an almost full disk accepts a part
                written += os.write(self._file, line[written:])
            os.fsync(self._file)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._file, end)
            raise ResultsError(
                f"cannot write {self.path}: {error.strerror}; the lines in it are whole: "
                "free some space and run the same command again"
            ) from error
        self.failed[self.name(record)] = "error" in record

    def close(self) -> None:
        os.close(self._file)

    def __enter__(self) -> ResultsFile:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _records(self) -> Iterator[Record]:
        with open(self._file, "rb", closefd=False) as file:
            file.seek(0)
            yield from map(json.loads, file)

    def _read(self) -> None:
        """Read all lines, and cut off a torn one at the end."""
        end, number = 0, 0
        with open(self._file, "rb", closefd=False) as file:
            head = file.peek(len(START))[: len(START)]
            if not _may_be_ours(head):  # checked before a large file of another kind is read
                raise ResultsError(
                    f"{self.path} holds something other than results and is kept: "
                    "give another --out"
                )
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    self._mend(number, line, end)
                    return
                self._take(number, line)
                end += len(line)

    def _take(self, number: int, line: bytes) -> None:
        try:
            record = json.loads(line)
            name, error = self.name(record), "error" in record
            if not error:
                for entry in self._needs:
                    record[entry]
                request = decisive(record)
                self._requests[json.dumps(request)] = request
            self.failed[name] = error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ResultsError(
                f"{self.path}, line {number}, is not a result: remove the line, or give "
                "another --out"
            ) from error

    def _mend(self, number: int, line: bytes, end: int) -> None:
        """Repair a last line without a newline: it is torn, or an editor saved it so."""
        with suppress(ValueError):
            json.loads(line)
            self._take(number, line)
            os.write(self._file, b"\n")
            return
        if not _may_be_ours(line.strip(b"\0")):  # some file systems leave zeros after a power cut
            raise ResultsError(
                f"{self.path} ends with something other than results and is kept: "
                "give another --out"
            )
        os.ftruncate(self._file, end)
        log.warning(
            "%s: its last line was torn by a sudden end and is cut off (%d bytes)",
            self.path,
            len(line),
        )


@contextmanager
def reported_file(path: Path, then: str = "") -> Iterator[BinaryIO]:
    """A `whole_file`. Raises ResultsError if it cannot be written; then: the end of the message."""
    try:
        with whole_file(path) as file:
            yield file
    except OSError as error:
        reason = error.strerror or error
        raise ResultsError(f"cannot write {path}: {reason}; {way_to(error)}{then}") from error


def way_to(error: OSError) -> str:
    """The advice for a file or folder that cannot be created."""
    if isinstance(error, FileNotFoundError):
        return "create the folder first"
    if error.errno == errno.ENOSPC:
        return "free some space, or choose another folder"
    if error.errno == errno.ENAMETOOLONG:
        return "give a shorter name"
    return "choose another folder, or repair this one"


def _may_be_ours(text: bytes) -> bool:
    return text.startswith(START) or START.startswith(text.rstrip(b"\0"))


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:39] + "…"


def _lock(file: int, path: Path) -> None:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(file, _LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
            raise ResultsError(
                f"{path} is being written by another process: wait for it, or give another --out"
            ) from error
        log.warning(
            "%s cannot be locked (%s): do not run a second command on it", path, error.strerror
        )
