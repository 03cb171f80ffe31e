"""The concepts to keep away from, as the options `--avoid` and `--avoid-file` name them."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import GuardError
from ..text.line_files import read_lines
from .named import decode_named, expanded_pictures, names_picture, read_named

if TYPE_CHECKING:
    from ..clip.models import ClipModel
    from ..guard.guard import Guard

    GuardMaker = Callable[[ClipModel], Guard]  # plain data, to be sent to other machines


@dataclass(frozen=True)
class AvoidRequest:
    """The named concepts, each once: texts and pictures.

    pictures: the contents of those that are pictures, by name, because a pipe is read only once.
    """

    concepts: tuple[str, ...]
    pictures: Mapping[str, bytes] = field(repr=False)
    false_alarms: float

    def guard_maker(self) -> GuardMaker | None:
        """A function that makes the guard of a model, None without concepts. Raises GuardError,
        PictureError."""
        if not self.concepts:
            return None
        from ..guard.guard import make_guard

        pictures = {name: decode_named(data, name) for name, data in self.pictures.items()}
        texts = [name for name in self.concepts if name not in pictures]
        return partial(make_guard, texts=texts, pictures=pictures, false_alarms=self.false_alarms)

    def settings(self) -> dict[str, object]:
        """The entries of a result's `settings`, none without concepts.

        Pictures add a digest of their contents: a file may be replaced by another of its name.
        """
        if not self.concepts:
            return {}
        named = sorted(self.concepts)
        entries: dict[str, object] = {"avoid": named, "false_alarms": self.false_alarms}
        contents = b"".join(
            hashlib.sha256(self.pictures[name]).digest() for name in named if name in self.pictures
        )
        if contents:
            entries["avoid_digest"] = hashlib.sha256(contents).hexdigest()[:16]
        return entries


def avoid_request(arguments: argparse.Namespace) -> AvoidRequest:
    """Reads the file of concepts and the pictures, once, because they may be pipes. Raises
    GuardError for a file that cannot be read or names no concept, and PictureError."""
    path = arguments.avoid_file
    # Each name once, before the disk is asked for it: a long list may repeat itself.
    given = dict.fromkeys([*arguments.avoid, *([] if path is None else read_concepts(path))])
    named = tuple(dict.fromkeys(found for name in given for found in expanded_pictures(name)))
    pictures = {name: read_named(name) for name in named if names_picture(name)}
    return AvoidRequest(named, pictures, arguments.false_alarms)


def read_concepts(path: str | Path) -> list[str]:
    """The concepts of a UTF-8 text file, one per line; `#` starts a comment line.

    Raises GuardError when the file cannot be read or names no concept.
    """
    return read_lines(path, GuardError, "concept")
