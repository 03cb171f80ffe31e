"""What a wheel holds, what the tiers and CI run, and that no file knows the machine it was written
on."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import pez_core
from tests.support.sources import ROOT, absolute, parsed, sources


def test_what_the_first_tier_leaves_out_is_there() -> None:
    """Every line of slow.txt is a test module, or a test function of one, and none stands twice."""
    named = (ROOT / "tests" / "slow.txt").read_text(encoding="utf-8").splitlines()
    assert named == sorted(set(named))
    for name in named:
        file, _, test = name.partition("::")
        tree = parsed(ROOT / file)
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert any(function.startswith("test_") for function in functions), name
        assert not test or (test in functions and file not in named), name


def test_importing_the_core_is_light() -> None:
    """Neither open_clip, nor transformers, nor the hub's client is imported before it is used, and
    no thread and no log handler remains."""
    code = (
        "import logging, sys, threading, pez_core; "
        "print(sorted({'open_clip', 'transformers', 'huggingface_hub'} & set(sys.modules)), "
        "threading.active_count(), logging.getLogger().handlers, "
        "logging.getLogger('pez_core').handlers)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (result.stdout, result.stderr) == ("[] 1 [] []\n", "")


def test_the_library_neither_prints_nor_evaluates() -> None:
    """Printing is the command line's; `eval`, `exec` and pickles are nobody's."""
    for path in sources("pez_core"):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec"), path
                assert node.func.id != "print" or path.parent.name == "cli", path
        assert not {"pickle", "dill", "cloudpickle"} & absolute(path), path


def tracked_texts() -> dict[str, str]:
    """The text files under version control."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False
    ).stdout.decode()
    texts = {}
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        try:
            texts[name] = path.read_text(encoding="utf-8") if path.is_file() else ""
        except UnicodeDecodeError:
            continue  # a picture or weights
    return texts


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    """No absolute path of somebody's home, work or temporary folder."""
    texts = tracked_texts()
    if not texts:
        pytest.skip("this is not a checkout of the repository")
    pattern = re.compile(r"(?<![\w.:/~])/(?:work|tmp|home|root|mnt|Users)/\w")
    found = {name: match.group() for name, text in texts.items() if (match := pattern.search(text))}
    assert found == {}


def test_a_wheel_holds_the_core_and_its_model_alone(tmp_path: Path) -> None:
    """No top-level `nodes`, which would stand in the way of ComfyUI's; the embedded model, its
    configuration and its words; the command `pez`."""
    pytest.importorskip("setuptools", minversion="69")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path / name)
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("pez_core", "nodes", "web"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    code = "from setuptools.build_meta import build_wheel; build_wheel('dist')"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert wheel.name.startswith(f"pez_prompts-{pez_core.__version__}-py3-none-any")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = next(n for n in names if n.endswith("entry_points.txt"))
        assert "pez = pez_core.cli:main" in archive.read(metadata).decode()
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"pez_core", f"pez_prompts-{pez_core.__version__}.dist-info"}
    files = {str(p.relative_to(ROOT)) for p in sources("pez_core")}
    model = ("open_clip_config.json", "open_clip_model.safetensors", "words.txt")
    assert files | {f"pez_core/demo_model/{name}" for name in model} <= set(names)


def test_ci_runs_the_readmes_commands(root: Path) -> None:
    """CI runs the commands that the README gives."""
    readme = (root / "README.md").read_text(encoding="utf-8")
    script = (root / ".ci" / "run").read_text(encoding="utf-8")
    setup, tests = (line for line in readme.splitlines() if line.startswith("python3 -m venv"))
    assert tests.endswith("-m pytest") and tests in script
    assert setup.rsplit("&&", 1)[1].strip() in script
