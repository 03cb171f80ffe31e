"""The concepts to keep away from, as the options `--avoid` and `--avoid-file` name them."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..clip.models import ClipModel
from ..errors import GuardError
from ..guard.guard import Guard, make_guard
from ..pictures import is_picture, open_picture, read_picture
from ..text.line_files import read_lines

GuardMaker = Callable[[ClipModel], Guard]  # plain data, so that it can be sent to other machines


@dataclass(frozen=True)
class AvoidRequest:
    """The named concepts, each once: texts, and files of pictures."""

    concepts: tuple[str, ...]
    false_alarms: float

    def guard_maker(self) -> GuardMaker | None:
        """A function that makes the guard of a model, None without concepts. Raises GuardError,
        PictureError."""
        if not self.concepts:
            return None
        pictures = {name: open_picture(name) for name in self.concepts if is_picture(name)}
        texts = [name for name in self.concepts if name not in pictures]
        return partial(make_guard, texts=texts, pictures=pictures, false_alarms=self.false_alarms)

    def settings(self) -> dict[str, object]:
        """The entries of a result's `settings`, none without concepts.

        Pictures add a digest of their contents: a file may be replaced by another of its name.
        Raises PictureError.
        """
        if not self.concepts:
            return {}
        named = sorted(self.concepts)
        entries: dict[str, object] = {"avoid": named, "false_alarms": self.false_alarms}
        pictures = [name for name in named if is_picture(name)]
        if pictures:
            contents = b"".join(hashlib.sha256(read_picture(name)).digest() for name in pictures)
            entries["avoid_digest"] = hashlib.sha256(contents).hexdigest()[:16]
        return entries


def avoid_request(arguments: argparse.Namespace) -> AvoidRequest:
    """Reads the file of concepts, once, because it may be a pipe. Raises GuardError for a file that
    cannot be read or names no concept."""
    path = arguments.avoid_file
    named = [*arguments.avoid, *([] if path is None else read_concepts(path))]
    return AvoidRequest(tuple(dict.fromkeys(named)), arguments.false_alarms)


def read_concepts(path: str | Path) -> list[str]:
    """The concepts of a UTF-8 text file, one per line; `#` starts a comment line.

    Raises GuardError when the file cannot be read or names no concept.
    """
    return read_lines(path, GuardError, "concept")
