"""Running `pez` as a command of its own, as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Pez = Callable[..., tuple[int, str, str]]  # of the fixture `pez`
ROOT = Path(__file__).resolve().parents[2]
PEZ = [sys.executable, "-c", "import sys; from pez_core.cli import main; sys.exit(main())"]


def environment(cache: Path | None = None) -> dict[str, str]:
    """This process's, with this checkout importable, one thread, and no network.

    cache: an empty folder that takes the place of every cache.
    """
    changes = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    if cache is not None:
        changes |= {"HF_HOME": str(cache), "PEZ_MODELS": str(cache)}
    return {**os.environ, **changes}


def run(*arguments: str, cache: Path | None = None, **options: Any) -> Any:
    """`pez ARGUMENTS` to its end, with its output as text."""
    given = {"capture_output": True, "text": True, "timeout": 300, **options}
    return subprocess.run([*PEZ, *arguments], env=environment(cache), check=False, **given)
