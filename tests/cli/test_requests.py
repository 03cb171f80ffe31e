"""The parsed arguments end in `run`: everything after it takes a frozen dataclass."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import importlib
from pathlib import Path

import pytest

import pez_core.cli

FILES = sorted(Path(pez_core.cli.__file__).parent.glob("*.py"))
# They make the dataclasses, or a part of one.
MAKERS = {
    "run", "avoid_request", "folder_request", "search_request", "text_request", "search_config",
    "caption_request", "_text_config", "painter_settings", "ray_request", "_painter",
    "_chooses", "_edits",
}  # fmt: skip


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_only_makers_of_requests_take_the_arguments(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            annotations = [ast.unparse(a.annotation) for a in node.args.args if a.annotation]
            assert "argparse.Namespace" not in annotations or node.name in MAKERS, node.name
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            assert ast.unparse(node.value) != "arguments", f"line {node.lineno} changes them"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_requests_are_frozen(path: Path) -> None:
    module = importlib.import_module(f"pez_core.cli.{path.stem}".removesuffix(".__init__"))
    for name, kind in vars(module).items():
        if name.endswith("Request"):
            assert dataclasses.is_dataclass(kind) and kind.__dataclass_params__.frozen, name


def test_the_same_arguments_give_the_same_request(tmp_path: Path) -> None:
    """Reading them leaves them as they were, a file of concepts included."""
    from pez_core.cli.command import load_verbs
    from pez_core.cli.parser import make_parser
    from pez_core.cli.request import search_request

    path = tmp_path / "concepts.txt"
    path.write_text("a dog\n# not this\na cat\n")
    command = ["invert", "--text", "a", "--avoid", "a cat", "--avoid-file", str(path)]
    arguments = make_parser(load_verbs(["invert"])).parse_args(command)
    before = argparse.Namespace(**vars(arguments))
    request = search_request(arguments)
    assert request == search_request(arguments) and arguments == before
    assert request.avoid.concepts == ("a cat", "a dog")
