"""Captions for training: the prompt of each picture in a text file of the same name, `photo.txt`
for `photo.jpg`, where trainers look for it.

A caption is written after its line in the results file. So what a kill has left out is written by
the next run, from that line, without a search. Each file appears whole. An existing file is kept,
unless the caller wants it replaced.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ..errors import ResultsError
from .results import way_to
from .whole_file import whole_file

SUFFIX = ".txt"


class CaptionFiles:
    """The captions of a folder's pictures: below `folder`, as the pictures are below theirs.

    names: the pictures, as `list_pictures` returns them. prefix, suffix: words before and after
    each prompt. overwrite: whether files of another text are replaced.
    written: how many files this run has written. kept: those of another text.
    Raises ResultsError when two pictures would share a caption, when something other than a file
    has the name of one, or when the folder cannot be made or written.
    """

    def __init__(
        self,
        folder: str | Path,
        names: Iterable[str],
        *,
        prefix: str = "",
        suffix: str = "",
        overwrite: bool = False,
    ) -> None:
        self._folder, self._overwrite = Path(folder), overwrite
        self._around = prefix, suffix
        self.written = 0
        self.kept: list[Path] = []
        self._check(names)
        _make_writable(self._folder)

    def path(self, name: str) -> Path:
        return self._folder / Path(name).with_suffix(SUFFIX)

    def caption(self, prompt: str) -> str:
        """The text of a caption: one line, its parts joined by commas."""
        prefix, suffix = self._around
        return ", ".join(filter(None, (prefix, " ".join(prompt.split()), suffix)))

    def to_search(self, names: Iterable[str]) -> list[str]:
        """Those of the pictures without a prompt whose caption may be written; all with
        `overwrite`.

        Raises ResultsError when a caption's folder cannot be made or written, so that no search is
        lost.
        """
        free = []
        for name in names:
            path = self.path(name)
            if os.path.lexists(path) and not self._overwrite:
                self.kept.append(path)
            else:
                free.append(name)
        for folder in sorted({self.path(name).parent for name in free}):
            _make_writable(folder)
        return free

    def write(self, name: str, prompt: str) -> None:
        """Write the caption of a picture, unless a file is kept. Raises ResultsError."""
        path, content = self.path(name), self.caption(prompt).encode("utf-8", "replace")
        if os.path.lexists(path):
            if _holds(path, content):
                return
            if not self._overwrite:
                self.kept.append(path)
                return
        _write_whole(path, content)
        self.written += 1

    def _check(self, names: Iterable[str]) -> None:
        taken: dict[str, str] = {}
        for name in names:
            path = self.path(name)
            other = taken.setdefault(os.path.normcase(path), name)
            if other != name:
                raise ResultsError(
                    f"{other} and {name} would both have the caption {path}: rename one of them, "
                    "or move it to another folder"
                )
            if os.path.lexists(path) and not path.is_file():
                raise ResultsError(
                    f"{path} is not a file, but has the name of the caption of {name}: rename it"
                )


def _holds(path: Path, content: bytes) -> bool:
    """Whether a file holds this text; a mark of UTF-8 and a line's end, as editors add them, do not
    count."""
    try:
        with path.open("rb") as file:
            found = file.read(len(content) + 8)
    except OSError:
        return False
    return found.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n") == content


def _write_whole(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            file.write(content)
    except OSError as error:
        raise ResultsError(
            f"cannot write the caption {path}: {error.strerror}; the prompts found so far are "
            "kept: repair the folder or free some space, and run the same command again"
        ) from error


def _make_writable(folder: Path) -> None:
    """Make a folder if it is missing, and make sure that files can be written in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ResultsError(
            f"cannot write captions in {folder}: {error.strerror}; {way_to(error)} "
            "(--out FOLDER writes them below another one)"
        ) from error
    except ValueError as error:  # a NUL, or a lone surrogate from Windows
        raise ResultsError(
            f"{ascii(str(folder))} cannot be the name of a folder: give another --out"
        ) from error
