"""Long work in parts, in several processes; what is done is kept in a file of lines."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

Key = tuple[Any, ...]


def run_parts(work: Callable[..., Any], parts: Mapping[Key, Key], path: Path, jobs: int) -> None:
    """Calls `work` with the arguments of each part, and appends the part's key and its result to a
    file as a line of JSON. work: a function of a module, as it runs in other processes."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=spawn) as pool:
        futures = {pool.submit(work, *arguments): key for key, arguments in parts.items()}
        for done, future in enumerate(as_completed(futures), 1):
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([*futures[future], future.result()]) + "\n")
            print(f"{done} of {len(futures)}: {futures[future]}", flush=True)


def measured(
    work: Callable[..., list[Any]],
    sets: Sequence[str],
    pictures: int,
    size: int,
    path: Path,
    jobs: int,
    *arguments: Any,
) -> dict[str, list[Any]]:
    """What `work` finds for each of the first pictures of every set. What is in the file already is
    not measured again.

    work: called with a set, the first picture of a part, the one after its last, and the
    `arguments`; it returns an entry for each picture. size: pictures in a part.
    """
    ends = {first: min(first + size, pictures) for first in range(0, pictures, size)}
    known = _read(path)
    parts = {
        (kind, first): (kind, first, last, *arguments)
        for first, last in ends.items()
        for kind in sets
        if len(known.get((kind, first), ())) < last - first
    }
    run_parts(work, parts, path, jobs)
    known = _read(path)
    return {
        kind: [one for first, last in ends.items() for one in known[kind, first][: last - first]]
        for kind in sets
    }


def _read(path: Path) -> dict[Key, list[Any]]:
    """The parts in a file, by set and first picture."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return {(kind, first): found for kind, first, found in map(json.loads, lines)}
