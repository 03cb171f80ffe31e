"""The folder as ComfyUI sees it: imported under a name like a path, asked for its nodes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

LOADER = Path(__file__).parents[1] / "support" / "load_pack.py"
STUBS = Path(__file__).parents[1] / "stubs"


def load(root: Path, python_path: str, cwd: Path) -> dict[str, Any]:
    """What the loader says of the pack, in a new process without this repository on its path."""
    environment = {**os.environ, "PYTHONPATH": python_path, "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [sys.executable, str(LOADER), str(root)],
        capture_output=True, text=True, cwd=cwd, env=environment, timeout=300, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


def assert_is_a_pack(found: dict[str, Any], root: Path) -> None:
    assert found["is_extension"] and found["is_list"]
    assert found["web"] == "./web" and (root / "web").is_dir()
    ids = found["node_ids"]
    assert len(ids) == len(set(ids)) and all(node_id.startswith("PEZ_") for node_id in ids)
    assert found["path_kept"]


def test_the_pack_loads_under_a_name_like_a_path(root: Path, tmp_path: Path) -> None:
    """With a stub in ComfyUI's place. Nothing of the pack becomes a top-level module, where another
    pack would find it, and nothing slow is imported."""
    found = load(root, str(STUBS), tmp_path)
    assert_is_a_pack(found, root)
    assert not {"pez_core", "nodes", "open_clip"}.intersection(found["modules"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("lacking", ["comfy_api", "ComfyExtension", "io", "Schema", "Custom"])
def test_an_older_comfyui_is_told_which_version_is_needed(
    root: Path, tmp_path: Path, lacking: str
) -> None:
    """It has no V3 interface, or has less of it. The version is that of pyproject.toml."""
    project = (root / "pyproject.toml").read_text(encoding="utf-8")
    (needed,) = re.findall(r'requires-comfyui = ">=(.*)"', project)
    if lacking != "comfy_api":
        stubs = shutil.copytree(STUBS, tmp_path / "stubs")
        interface = stubs / "comfy_api" / "latest" / "__init__.py"
        owner = f"io.{lacking}" if lacking in ("Schema", "Custom") else lacking
        interface.write_text(f"{interface.read_text()}\ndel {owner}\n")
    result = subprocess.run(
        [sys.executable, str(LOADER), str(root)],
        capture_output=True, text=True, cwd=tmp_path, timeout=300, check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "stubs")},
    )  # fmt: skip
    last = result.stderr.splitlines()[-1]
    assert last.startswith(f"ImportError: this pack needs ComfyUI {needed} or newer") and (
        "update ComfyUI" in last
    )


def comfyui() -> Path:
    """The checkout that COMFYUI_PATH names, or a skipped test."""
    given = os.environ.get("COMFYUI_PATH")
    if not given:
        pytest.skip("COMFYUI_PATH does not name a ComfyUI checkout")
    path = Path(given)
    assert (path / "comfy_api").is_dir(), f"COMFYUI_PATH={given} is not a ComfyUI checkout"
    return path


@pytest.mark.comfyui
def test_the_pack_loads_with_comfyuis_own_interface(root: Path) -> None:
    """The entry point returns ComfyUI's ComfyExtension, whose nodes have valid schemas."""
    checkout = comfyui()
    path = os.pathsep.join(filter(None, [str(checkout), os.environ.get("PYTHONPATH")]))
    assert_is_a_pack(load(root, path, checkout), root)


_OWN_LOADER = """
import asyncio, json, sys
import comfy.options
comfy.options.enable_args_parsing(False)
from comfy.cli_args import args
args.cpu = True
import nodes
before = set(nodes.NODE_CLASS_MAPPINGS)
loaded = asyncio.run(nodes.load_custom_node(sys.argv[1]))
new = sorted(set(nodes.NODE_CLASS_MAPPINGS) - before)
print(json.dumps([loaded, new, list(nodes.EXTENSION_WEB_DIRS.values())]))
"""


@pytest.mark.comfyui
def test_comfyuis_own_loader_takes_the_pack(root: Path) -> None:
    """`load_custom_node` finds the nodes and the web folder, next to ComfyUI's module `nodes`."""
    checkout = comfyui()
    path = os.pathsep.join(filter(None, [str(checkout), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [sys.executable, "-c", _OWN_LOADER, str(root)],
        capture_output=True, text=True, cwd=checkout, env=environment, timeout=600, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    loaded, new, web = json.loads(result.stdout.splitlines()[-1])
    assert loaded, result.stderr
    assert all(node_id.startswith("PEZ_") for node_id in new)
    assert str(root / "web") in web
