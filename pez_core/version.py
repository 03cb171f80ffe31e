"""The version, from pyproject.toml: ComfyUI and its registry read it there.

A pack of ComfyUI has that file beside the package; a package that pip installed has its metadata.
"""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_NAME = "pez-prompts"


def _version() -> str:
    try:
        text = Path(__file__).parents[1].joinpath("pyproject.toml").read_text(encoding="utf-8")
    except (OSError, ValueError):
        text = ""
    if f'name = "{_NAME}"' in text and (found := re.search(r'^version = "([^"]+)"', text, re.M)):
        return found[1]
    try:
        return version(_NAME)
    except PackageNotFoundError:  # a copy of the folder pez_core alone
        return "unknown"


__version__ = _version()
