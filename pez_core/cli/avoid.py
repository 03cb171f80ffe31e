"""The concepts to keep away from, as `pez invert`, `pez invert-folder` and `pez check` are told
them."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ..clip.models import ClipModel
from ..errors import GuardError
from ..guard.guard import FALSE_POSITIVE_RATE, Guard, make_guard
from ..pictures import is_picture, open_picture, read_picture
from ..text.line_files import read_lines

GuardMaker = Callable[[ClipModel], Guard]  # plain data, so that it can be sent to other machines


def add_avoid_options(parser: argparse._ActionsContainer) -> None:
    """Adds the options that name concepts."""
    add = parser.add_argument
    add(
        "--avoid",
        action="append",
        default=[],
        metavar="TEXT_OR_PICTURE",
        help="a meaning to keep away from, in its own words and in any others; may be repeated",
    )
    add("--avoid-file", metavar="FILE", help="concepts to keep away from, one a line")
    add(
        "--false-alarms",
        type=float,
        default=FALSE_POSITIVE_RATE,
        metavar="RATE",
        help="the share of neutral prompts that a concept may call too near; more is stricter "
        "(default: %(default)s)",
    )


def concepts(arguments: argparse.Namespace) -> list[str]:
    """The concepts that were named, each once. Raises GuardError for a file that names none.

    The file is read once, as it may be a pipe: its concepts then stand among the others of the
    arguments.
    """
    if arguments.avoid_file is not None:
        arguments.avoid = [*arguments.avoid, *read_concepts(arguments.avoid_file)]
        arguments.avoid_file = None
    return list(dict.fromkeys(arguments.avoid))


def read_concepts(path: str | Path) -> list[str]:
    """The concepts of a UTF-8 text file, one a line; `#` starts a comment line.

    Raises GuardError when the file cannot be read or names no concept.
    """
    concepts = read_lines(path, GuardError)
    if not concepts:
        raise GuardError(f"{path} names no concept: write one on each line")
    return concepts


def guard_maker(arguments: argparse.Namespace) -> GuardMaker | None:
    """What makes the guard of a model, None where no concept was named. Raises GuardError,
    PictureError."""
    named = concepts(arguments)
    if not named:
        return None
    pictures = {name: open_picture(name) for name in named if is_picture(name)}
    texts = [name for name in named if name not in pictures]
    return partial(make_guard, texts=texts, pictures=pictures, false_alarms=arguments.false_alarms)


def avoided(arguments: argparse.Namespace) -> dict[str, object]:
    """What a result's `settings` say of the concepts; nothing where there are none. Of pictures a
    digest as well: a file may be replaced by another of its name. Raises GuardError,
    PictureError."""
    named = sorted(concepts(arguments))
    if not named:
        return {}
    told: dict[str, object] = {"avoid": named, "false_alarms": arguments.false_alarms}
    pictures = [name for name in named if is_picture(name)]
    if pictures:
        contents = b"".join(hashlib.sha256(read_picture(name)).digest() for name in pictures)
        told["avoid_digest"] = hashlib.sha256(contents).hexdigest()[:16]
    return told
