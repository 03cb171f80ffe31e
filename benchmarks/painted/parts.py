"""Long work in parts, in several processes; what is done is kept in a file of lines."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Mapping
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
