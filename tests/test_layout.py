"""Who may import whom, what a wheel holds, and that no file knows the machine it was written on."""

from __future__ import annotations

import ast
import importlib
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import pez_core

ROOT = Path(__file__).resolve().parent.parent
COMFYUI = {
    "comfy", "comfy_api", "comfy_execution", "comfy_extras", "folder_paths", "server", "nodes",
    "execution", "node_helpers", "latent_preview",
}  # fmt: skip
OWN = {"pez_core", "nodes", "tests", "benchmarks", "training"}


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


def test_the_core_knows_nothing_of_comfyui() -> None:
    """pez_core imports no module of ComfyUI's, not even inside a function."""
    for path in sources("pez_core"):
        assert not COMFYUI & absolute(path), path


@pytest.mark.parametrize("folder", ["pez_core", "nodes"])
def test_own_modules_are_imported_relatively(folder: str) -> None:
    """ComfyUI loads the pack under a name like a path, where an absolute import of its own modules
    fails or finds another pack's."""
    for path in [*sources(folder), ROOT / "__init__.py"]:
        assert not (OWN - {"nodes"}) & absolute(path), path
        assert "nodes" not in absolute(path) or path.parent == ROOT / "nodes", path


def test_imports_lead_one_way() -> None:
    """pez_core → nodes → __init__, never back; nobody imports tests, benchmarks or training."""
    core, nodes = ROOT / "pez_core", ROOT / "nodes"
    for path in sources("pez_core"):
        assert all(core in target.parents for target in relative_targets(path)), path
    for path in sources("nodes"):
        allowed = {core, nodes}
        targets = relative_targets(path)
        assert all(allowed & {target, *target.parents} for target in targets), path
    assert relative_targets(ROOT / "__init__.py") <= {nodes}


# The rooms of pez_core from the cellar to the roof. Rooms of one floor do not import each other.
FLOORS = (
    {"errors"},
    {"compute", "hub"},
    {"version", "config", "options", "prompt", "targets", "pictures"},
    {"text"},
    {"clip"},
    {"guard"},
    {"search"},
    {"applications", "batch", "language_model"},
    {"evaluation"},
    {"cli"},
)
NOUNS = FLOORS[0] | FLOORS[2]  # what users name; they lie in no room


def room(target: Path) -> str:
    """The room of a module, by its path without a suffix; that of a noun is its own name."""
    return target.relative_to(ROOT / "pez_core").parts[0]


def floor(name: str) -> int:
    (number,) = (number for number, rooms in enumerate(FLOORS) if name in rooms)
    return number


def test_the_tree_is_the_architecture() -> None:
    """No file lies outside a room but the public nouns, and every room stands on a floor."""
    core = ROOT / "pez_core"
    assert {path.stem for path in core.glob("*.py")} == NOUNS | {"__init__"}
    rooms = {path.name for path in core.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert rooms - {"demo_model"} == set().union(*FLOORS) - NOUNS


def test_a_room_imports_only_what_stands_below_it() -> None:
    core, arrows = ROOT / "pez_core", set()
    for path in sources("pez_core"):
        if path.parent == core and path.stem == "__init__":
            continue  # the front door opens on every floor
        own = room(path.with_suffix(""))
        for target in relative_targets(path):
            if target == core:
                continue  # the pack itself, for its version
            assert (
                room(target) == own
                or floor(room(target)) < floor(own)
                or ({room(target), own} <= NOUNS)
            ), f"{path.relative_to(ROOT)} imports {target.relative_to(ROOT)}"
            arrows.add((own, room(target)))
    assert len(arrows) > 50


def test_the_rooms_of_the_nodes_import_only_what_stands_below() -> None:
    """interrupt, models, run and the schema, the files of the nodes, and on top what lists them."""
    nodes = ROOT / "nodes"
    floors = {"interrupt": 0, "models": 1, "run": 2, "schema": 2, "__init__": 4}
    arrows = set()
    for path in sources("nodes"):
        own = path.relative_to(nodes).with_suffix("").parts[0]
        for target in relative_targets(path):
            if nodes not in target.parents:
                continue  # pez_core
            name = target.relative_to(nodes).parts[0]
            allowed = name == own or floors.get(name, 3) < floors.get(own, 3)
            assert allowed, f"{path.relative_to(ROOT)} imports {target.relative_to(ROOT)}"
            arrows.add((own, name))
    assert {("models", "interrupt"), ("run", "models"), ("token_viewer", "run")} <= arrows


def test_every_public_name_is_there_and_has_a_home() -> None:
    """`__all__`, the table of homes and what the type checker is told are one list."""
    tree = parsed(ROOT / "pez_core" / "__init__.py")
    checked = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert set(pez_core.__all__) == {*checked, "__version__"}
    assert pez_core.__version__
    for name, home in checked.items():
        own = importlib.import_module(f"pez_core.{home}")
        assert getattr(pez_core, name) is getattr(own, name), name
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = pez_core.nonsense


def test_no_test_needs_the_file_of_another() -> None:
    """A test module imports what `support` holds, or a helper of its own room; no helper imports a
    test module."""
    seen, tests = 0, ROOT / "tests"
    for path in sources("tests"):
        for level, module in imports(path):
            if level or module.partition(".")[0] != "tests":
                continue
            target = ROOT.joinpath(*module.split("."))
            assert not target.name.startswith(("test_", "conftest")), path
            assert target.with_suffix(".py").is_file(), path
            assert target.parent in (tests / "support", path.parent), path
            seen += 1
    assert seen > 100


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


def test_relative_imports_lead_to_files() -> None:
    """So that the checks above have looked at what is really imported."""
    seen = 0
    for path in [*sources("pez_core"), *sources("nodes")]:
        for target in relative_targets(path):
            names = (target.with_suffix(".py"), target / "__init__.py")
            assert any(name.is_file() for name in names), (path, target)
            seen += 1
    assert seen > 30


def test_importing_the_core_is_light() -> None:
    """Neither open_clip, nor transformers, nor the hub's client is imported before it is used, and
    no thread and no log handler is left behind."""
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
        pytest.skip("this is no checkout of the repository")
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
    """What CI runs is what a reader of the README is told to run."""
    readme = (root / "README.md").read_text(encoding="utf-8")
    script = (root / ".ci" / "run").read_text(encoding="utf-8")
    setup, tests = (line for line in readme.splitlines() if line.startswith("python3 -m venv"))
    assert tests.endswith("-m pytest") and tests in script
    assert setup.rsplit("&&", 1)[1].strip() in script
