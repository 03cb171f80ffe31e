"""What an evaluation leaves, to compare runs by. The fixtures are in `evaluation_fixtures`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.many_pictures import by_name, lines

Command = Callable[..., list[str]]  # of the fixture `evaluate`


def contents(out: Path) -> dict[str, Any]:
    """What a run has left: files, and the records of the line files without their seconds."""
    found: dict[str, Any] = {}
    for path in sorted(path for path in out.rglob("*") if path.is_file()):
        name = path.relative_to(out).as_posix()
        if path.suffix != ".jsonl":
            found[name] = path.read_bytes()
        elif name.startswith("prompts/"):
            found[name] = by_name(lines(path))
        else:
            found[name] = sorted(map(json.dumps, lines(path)))
    return found
