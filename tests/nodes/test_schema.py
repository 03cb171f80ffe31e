"""What the nodes say about themselves: saved workflows and other people's graphs depend on it.

`PEZ_WRITE_SNAPSHOT=1 pytest tests/nodes/test_schema.py` writes the snapshot anew.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.nodes_support import ROOT, Comfy, load, unload

pytest_plugins = ("tests.support.nodes_fixtures",)

SNAPSHOT = Path(__file__).parents[1] / "snapshots" / "schema.json"
RECORDED = Path(__file__).parents[1] / "frontend" / "object_info.json"
NODES = ("PEZ_ImageToHardPrompt", "PEZ_PromptMixer", "PEZ_PromptRanker", "PEZ_TokenViewer")


def describe(schema: Any) -> dict[str, Any]:
    """All of a schema that others rely on; words that explain it may change."""
    inputs = [
        {"id": i.id, "type": i.io_type, **{k: v for k, v in i.options.items() if k != "tooltip"}}
        for i in schema.inputs
    ]
    outputs = [
        {"name": o.display_name or o.id, "type": o.io_type, "list": o.is_output_list}
        for o in schema.outputs
    ]
    return {
        "display_name": schema.display_name,
        "category": schema.category,
        "output_node": schema.is_output_node,
        "inputs": inputs,
        "outputs": outputs,
    }


def test_the_nodes_are_what_saved_workflows_rely_on(comfy: Comfy) -> None:
    """Order counts: a workflow keeps the values of widgets by their place."""
    found = {name: describe(node.define_schema()) for name, node in comfy.nodes.items()}
    if os.environ.get("PEZ_WRITE_SNAPSHOT"):
        SNAPSHOT.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    assert found == json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert tuple(found) == NODES


@pytest.mark.parametrize("name", NODES)
def test_everything_is_explained(comfy: Comfy, name: str) -> None:
    schema = comfy.nodes[name].define_schema()
    assert schema.description
    for part in schema.inputs:
        assert part.options.get("tooltip", "").endswith("."), part.id
    for part in schema.outputs:
        assert part.tooltip and part.tooltip.endswith("."), part.display_name


# What came after 0.2.0, or was no widget then, may be missing in a graph that is sent.
LATER = re.compile(r"avoid|painter_edits|prompt(_\d)?")


@pytest.mark.parametrize("name", NODES)
def test_every_widget_has_a_default_within_its_range(comfy: Comfy, name: str) -> None:
    """No text is changed on its way in: braces of a template are not a dynamic prompt."""
    for part in comfy.nodes[name].define_schema().inputs:
        options = part.options
        widgets = ("INT", "FLOAT", "STRING", "COMBO", "BOOLEAN")
        if options.get("force_input") or part.io_type not in widgets:
            assert "default" not in options, part.id
            continue
        # What came after 0.2.0 may be missing in a graph that was sent to its API.
        assert part.optional is bool(LATER.fullmatch(part.id))
        if part.io_type in ("INT", "FLOAT"):
            assert options["min"] <= options["default"] <= options["max"], part.id
            assert options["step"] > 0, part.id
        elif part.io_type == "COMBO":
            assert options["default"] in options["options"], part.id
        elif part.io_type == "BOOLEAN":
            assert options["default"] is False, part.id
        else:
            assert options["default"] == "" and options["dynamic_prompts"] is False, part.id


@pytest.mark.parametrize("name", NODES)
def test_the_oldest_comfyui_takes_the_schema(comfy: Comfy, name: str) -> None:
    """0.3.64 demands that inputs and outputs have no id in common, and shows an output without a
    display name by its type."""
    schema = comfy.nodes[name].GET_SCHEMA()
    assert all(output.display_name for output in schema.outputs)


def test_the_front_end_is_tested_with_these_nodes(comfy: Comfy) -> None:
    """The recording that the front end's tests run on has the same inputs in the same order."""
    if not RECORDED.is_file():
        pytest.skip("the front end's tests are not here")
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))
    for name, node in comfy.nodes.items():
        schema, known = node.define_schema(), recorded[name]
        for group, optional in (("required", False), ("optional", True)):
            parts = [i for i in schema.inputs if i.optional is optional]
            assert [i.id for i in parts] == list(known["input"][group]), name
            for part in parts:
                kind, options = known["input"][group][part.id]
                assert kind == part.io_type, part.id
                assert options.get("default") == part.options.get("default"), part.id
                assert options.get("options") == part.options.get("options"), part.id
        assert known["output"] == [o.io_type for o in schema.outputs]
        assert known["output_name"] == [o.display_name or o.id for o in schema.outputs]
        assert known["output_is_list"] == [o.is_output_list for o in schema.outputs]
        assert known["display_name"] == schema.display_name


def test_newer_keywords_are_left_out_where_they_are_unknown(comfy: Comfy) -> None:
    assert not hasattr(comfy.nodes["PEZ_TokenViewer"].define_schema(), "search_aliases")


def test_newer_keywords_are_used_where_they_are_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PEZ_STUB_NEWER", "1")
    (tmp_path / "pack").symlink_to(ROOT)
    loaded = load(tmp_path / "pack")
    try:
        comfy = Comfy(loaded)
        for node in comfy.nodes.values():
            assert "pez" in node.define_schema().search_aliases
    finally:
        unload(loaded)
