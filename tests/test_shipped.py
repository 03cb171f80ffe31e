"""What ComfyUI's registry gets: the tracked files without those of .comfyignore, and a description
that is complete."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

import pez_core

MOST_BYTES = 42_000_000
TOPS = {
    "CHANGELOG.md", "LICENSE", "NOTICE", "README.md", "__init__.py", "example_workflows",
    "examples", "locales", "nodes", "pez_core", "pyproject.toml", "requirements.txt", "web",
}  # fmt: skip


@pytest.fixture
def shipped(root: Path) -> list[str]:
    """As `comfy node pack` chooses them."""
    listed = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, check=False).stdout
    names = listed.decode().splitlines()
    if not names:
        pytest.skip("this is not a checkout of the repository")
    lines = (root / ".comfyignore").read_text(encoding="utf-8").splitlines()
    ignored = tuple(line for line in lines if line and not line.startswith("#"))
    assert all(line.endswith("/") and (root / line).is_dir() for line in ignored)
    return [name for name in names if not name.startswith(ignored) and (root / name).exists()]


def test_what_nodes_need_is_shipped_and_nothing_else(root: Path, shipped: list[str]) -> None:
    hidden = {name for name in shipped if name.startswith(".")}
    assert hidden <= {".comfyignore", ".gitignore"}
    assert {name.partition("/")[0] for name in set(shipped) - hidden} == TOPS
    assert not [name for name in shipped if re.search(r"(^|/)(test_|tests/|bench)|\.test\.", name)]
    assert sum((root / name).stat().st_size for name in shipped) < MOST_BYTES


def test_the_registrys_description_is_complete(root: Path) -> None:
    project = (root / "pyproject.toml").read_text(encoding="utf-8")
    for name in ("name", "version", "description", "PublisherId", "DisplayName", "Icon", "Banner"):
        assert len(re.findall(rf'^{name} = "[^"]+"', project, re.M)) == 1, name
    for line in ("keywords = [", "[project.urls]", 'requires-comfyui = ">='):
        assert line in project
    repository = re.search(r'^Repository = "https://github.com/([^"]+)"', project, re.M)
    assert repository
    for name, ratio in (("Icon", 1), ("Banner", 21 / 9)):
        (address,) = re.findall(rf'^{name} = "([^"]+)"', project, re.M)
        home = f"https://raw.githubusercontent.com/{repository[1]}/main/"
        assert address.startswith(home)
        picture = (root / address.removeprefix(home)).read_text(encoding="utf-8")
        width, height = map(int, re.findall(r'(?:width|height)="(\d+)"', picture)[:2])
        assert width / height == pytest.approx(ratio)


def test_the_version_is_in_one_place(root: Path) -> None:
    project = (root / "pyproject.toml").read_text(encoding="utf-8")
    assert re.findall(r'^version = "([^"]+)"', project, re.M) == [pez_core.__version__]
    assert pez_core.__version__ not in (root / "pez_core" / "version.py").read_text("utf-8")
