"""The prompts of other tools, from a file: JSON lines or CSV."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..errors import ConfigError, is_text

Captions = dict[str, dict[str, str]]  # method → picture → prompt
_METHOD = re.compile(r"\w[\w .+-]{0,59}")  # it names a file and a folder


def read_captions(path: str | Path) -> Captions:
    """The prompts in a file, by method and picture, in the file's order.

    A file named *.csv has a header line; any other file holds one JSON object a line. The entries
    `picture`, `method` and `prompt` are read. If `method` is missing, the file's name is the
    method, so the output of `pez invert-folder` is a valid file. Objects with an `error` are left
    out.
    Raises ConfigError, which names the line, for an unreadable file, a missing entry, a method that
    cannot name a file, and a picture with two different prompts of one method.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"cannot read the captions {path}: {error}; give UTF-8 text: JSON lines or CSV"
        ) from error
    captions: Captions = {}
    for number, row in _csv(text, path) if path.suffix.lower() == ".csv" else _json(text, path):
        if isinstance(row, dict) and "error" in row:
            continue
        picture, method, prompt = _entries(row, f"{path}, line {number}", path.stem)
        held = captions.setdefault(method, {})
        if held.setdefault(picture, prompt) != prompt:
            raise ConfigError(
                f"{path}, line {number}: {method} already has another prompt for {picture}: keep "
                "one prompt of each method for a picture"
            )
    if not captions:
        raise ConfigError(f"the captions {path} hold no prompt")
    return captions


def join_captions(files: Iterable[str | Path]) -> Captions:
    """The captions of several files. Also raises ConfigError when two files have the same
    method."""
    joined: Captions = {}
    for path in files:
        found = read_captions(path)
        for method in found:
            if method in joined:
                raise ConfigError(f"{path} has the method {method!r} of an earlier file: rename it")
        joined |= found
    return joined


def _json(text: str, path: Path) -> Iterator[tuple[int, Any]]:
    # Not splitlines: U+2028 and similar characters may occur within a JSON string.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except ValueError as error:
                raise ConfigError(f"{path}, line {number}, is not JSON: {error}") from error
            except RecursionError as error:
                raise ConfigError(f"{path}, line {number}, is nested too deeply") from error


def _csv(text: str, path: Path) -> Iterator[tuple[int, Any]]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise ConfigError(
            f"{path}, line {reader.line_num + 1}, is not CSV: {error}; is a quotation mark missing?"
        ) from error


def _entries(row: Any, where: str, stem: str) -> tuple[str, str, str]:
    """The picture, method and prompt of a line."""
    row = row if isinstance(row, dict) else {}
    picture, prompt, method = row.get("picture"), row.get("prompt"), row.get("method", stem)
    if not (isinstance(picture, str) and isinstance(prompt, str) and isinstance(method, str)):
        raise ConfigError(
            f'{where}: needs "picture" (the path below the folder) and "prompt"; "method" is '
            "optional"
        )
    if not _METHOD.fullmatch(method):
        raise ConfigError(
            f"{where}: the method {method!r} cannot name a file: use only letters, digits, "
            "spaces and . _ + -, at most 60 characters"
        )
    if not is_text(prompt):
        raise ConfigError(f"{where}: the prompt {ascii(prompt):.60} is not text")
    return picture, method, " ".join(prompt.split())
