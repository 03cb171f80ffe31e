"""The example workflows have the nodes that there are, and values for every widget of theirs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.nodes_support import CONTROL, ROOT, Comfy, output_name, schema_of

pytest_plugins = ("tests.support.nodes_fixtures",)

WORKFLOWS = sorted((ROOT / "example_workflows").glob("*.json"))
WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
AFTER = ("fixed", "increment", "decrement", "randomize")
# Core nodes of every supported ComfyUI, and the front end's own.
CORE = {
    "CheckpointLoaderSimple", "CLIPLoader", "CLIPTextEncode", "CLIPTextEncodeFlux",
    "CLIPTextEncodeSD3", "CLIPTextEncodeSDXL", "ConditioningZeroOut", "EmptyLatentImage",
    "EmptySD3LatentImage", "KSampler", "LoadImage", "MarkdownNote", "ModelSamplingAuraFlow",
    "SaveImage", "UNETLoader", "VAEDecode", "VAELoader",
}  # fmt: skip
NEWER = {"BatchImagesNode"}  # from 0.8 on; its predecessor is deprecated
LOADERS = {
    "CheckpointLoaderSimple": "checkpoints", "UNETLoader": "diffusion_models",
    "CLIPLoader": "text_encoders", "VAELoader": "vae",
}  # fmt: skip
MOST_BYTES = 200_000


def is_widget(given: Any) -> bool:
    return given.io_type in WIDGETS and not given.options.get("force_input")


def test_the_folder_holds_example_workflows_and_nothing_else() -> None:
    """ComfyUI lists every .json there; one left without its thumbnail would show as a blank."""
    assert WORKFLOWS
    files = {path.name for path in (ROOT / "example_workflows").iterdir()}
    assert files == {p.name for p in WORKFLOWS} | {p.with_suffix(".jpg").name for p in WORKFLOWS}


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


@pytest.fixture
def workflow(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_a_thumbnail_is_a_small_picture(path: Path) -> None:
    thumbnail = path.with_suffix(".jpg")
    assert thumbnail.stat().st_size < MOST_BYTES
    with Image.open(thumbnail) as picture:
        assert picture.format == "JPEG" and 500 <= picture.width <= 1000
        assert len(picture.convert("L").resize((32, 32)).getcolors()) > 20, "it shows nothing"


def test_a_workflow_has_the_nodes_there_are_and_says_what_to_do(
    comfy: Comfy, workflow: dict[str, Any]
) -> None:
    types = [node["type"] for node in workflow["nodes"]]
    assert workflow["version"] == 0.4
    assert set(types) <= CORE | NEWER | set(comfy.nodes)
    assert set(types) & set(comfy.nodes), "no node of the pack"
    assert types.count("MarkdownNote") == 1


def test_a_workflow_has_a_value_for_every_widget(comfy: Comfy, workflow: dict[str, Any]) -> None:
    """They are saved by position, so one too few would shift all that follow."""
    for node in workflow["nodes"]:
        if node["type"] not in comfy.nodes:
            continue
        values = iter(node["widgets_values"])
        for given in filter(is_widget, schema_of(comfy, node["type"]).inputs):
            assert_fits(next(values), given)
            if given.options.get(CONTROL):
                assert next(values) in AFTER
        assert list(values) == []
        assert "pez" not in node["properties"], "the result of a run was saved with it"


def assert_fits(value: Any, given: Any) -> None:
    options = given.options
    if given.io_type == "COMBO":
        assert value in options["options"], given.id
    elif given.io_type == "BOOLEAN":
        assert isinstance(value, bool), given.id
    elif given.io_type == "STRING":
        assert isinstance(value, str), given.id
        assert given.id != "edits" or value == ""
    else:
        assert options["min"] <= value <= options["max"], given.id
        assert given.io_type == "FLOAT" or isinstance(value, int), given.id


def test_a_workflow_connects_what_belongs_together(comfy: Comfy, workflow: dict[str, Any]) -> None:
    nodes = {node["id"]: node for node in workflow["nodes"]}
    links = {link[0]: link[1:] for link in workflow["links"]}
    used = {i["link"] for node in nodes.values() for i in node.get("inputs", [])} - {None}
    assert used == set(links), "a link leads nowhere"
    for origin, slot, target, place, kind in links.values():
        output, given = nodes[origin]["outputs"][slot], nodes[target]["inputs"][place]
        assert output["type"] == given["type"] == kind
    for node in nodes.values():
        if node["type"] in comfy.nodes:
            assert_slots(node, schema_of(comfy, node["type"]))


def assert_slots(node: dict[str, Any], schema: Any) -> None:
    names = [output["name"] for output in node["outputs"]]
    assert names == [output_name(output) for output in schema.outputs]
    assert {i["name"] for i in node["inputs"]} == {i.id for i in schema.inputs}
    linked = {i["name"] for i in node["inputs"] if i["link"] is not None}
    for given in schema.inputs:
        if not is_widget(given) and not given.optional:
            assert given.id in linked, f"{given.id} is required"


def test_a_workflow_loads_only_what_everybody_has(workflow: dict[str, Any]) -> None:
    """Our pictures come with the pack; a model that is missing is offered for download."""
    for node in workflow["nodes"]:
        if node["type"] == "LoadImage":
            folder, _, name = node["widgets_values"][0].partition("/")
            assert folder == "pez" and (ROOT / "examples" / name).is_file()
        if node["type"] in LOADERS:
            (offered,) = node["properties"]["models"]
            assert offered["name"] == node["widgets_values"][0]
            assert offered["directory"] == LOADERS[node["type"]]
            assert offered["url"].startswith("https://")


def test_the_nodes_of_a_workflow_do_not_overlap(workflow: dict[str, Any]) -> None:
    boxes = [(*node["pos"], *node["size"], node["id"]) for node in workflow["nodes"]]
    for i, (x, y, width, height, one) in enumerate(boxes):
        for left, top, wide, high, other in boxes[i + 1 :]:
            apart = x + width <= left or left + wide <= x
            apart = apart or y + height <= top - 30 or top + high <= y - 30  # 30: the title
            assert apart, (one, other)
