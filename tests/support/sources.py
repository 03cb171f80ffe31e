"""The sources of the repository, and what each imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def sources(folder: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found, f"no sources in {folder}"
    return found


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every import of a file, wherever it stands: level (0 = absolute) and module."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.level, node.module
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.level, alias.name) for alias in node.names)


def absolute(path: Path) -> set[str]:
    """The top-level packages that a file imports absolutely."""
    return {module.partition(".")[0] for level, module in imports(path) if level == 0}


def relative_targets(path: Path) -> set[Path]:
    """The folders or files, without suffix, that the relative imports of a file lead to."""
    found = set()
    for level, module in imports(path):
        if level:
            found.add(path.parents[level - 1].joinpath(*module.split(".")))
    return found
