"""Who may import whom: the order of the rooms, and the public names."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

import pez_core
from tests.support.sources import ROOT, absolute, imports, parsed, relative_targets, sources

COMFYUI = {
    "comfy", "comfy_api", "comfy_execution", "comfy_extras", "folder_paths", "server", "nodes",
    "execution", "node_helpers", "latent_preview",
}  # fmt: skip
OWN = {"pez_core", "nodes", "tests", "benchmarks", "training"}


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
    {"compute", "hub", "picture_files"},
    {"version", "config", "options", "escaping", "prompt", "targets", "pictures"},
    {"text"},
    {"clip"},
    {"guard"},
    {"search"},
    {"applications", "batch", "language_model"},
    {"painter"},
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
    doors = {"__init__", "__main__"}  # of the library, and of the command
    assert {path.stem for path in core.glob("*.py")} == NOUNS | doors
    rooms = {path.name for path in core.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert rooms - {"demo_model", "demo_painter"} == set().union(*FLOORS) - NOUNS


def test_a_room_imports_only_what_stands_below_it() -> None:
    core, arrows = ROOT / "pez_core", set()
    for path in sources("pez_core"):
        if path.parent == core and path.stem in ("__init__", "__main__"):
            continue  # the front doors open on every floor
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
    """The small ones, models, run and schema, the files of the nodes, and what lists them."""
    nodes = ROOT / "nodes"
    floors = {
        "interrupt": 0,
        "doing": 1,
        "values": 0,
        "notes": 0,
        "examples": 0,
        "models": 2,
        "run": 3,
        "schema": 3,
        "routes": 4,
        "__init__": 5,
    }
    arrows = set()
    for path in sources("nodes"):
        own = path.relative_to(nodes).with_suffix("").parts[0]
        for target in relative_targets(path):
            if nodes not in target.parents:
                continue  # pez_core
            name = target.relative_to(nodes).parts[0]
            allowed = name == own or floors.get(name, 4) < floors.get(own, 4)
            assert allowed, f"{path.relative_to(ROOT)} imports {target.relative_to(ROOT)}"
            arrows.add((own, name))
    assert {("models", "interrupt"), ("run", "models"), ("token_viewer", "run")} <= arrows


def test_every_public_name_is_there_and_has_a_home() -> None:
    """`__all__`, the table of homes and the names that the type checker sees are one list."""
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


def test_relative_imports_lead_to_files() -> None:
    """So that the checks above have looked at what is really imported."""
    seen = 0
    for path in [*sources("pez_core"), *sources("nodes")]:
        for target in relative_targets(path):
            names = (target.with_suffix(".py"), target / "__init__.py")
            assert any(name.is_file() for name in names), (path, target)
            seen += 1
    assert seen > 30
