"""What surrounds the nodes says what the nodes are: locales, help pages, example workflows."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.nodes_support import ROOT, Comfy

pytest_plugins = ("tests.nodes_fixtures",)

LANGUAGES = ("en", "zh")
NODE_IDS = ("PEZ_ImageToHardPrompt", "PEZ_PromptMixer", "PEZ_TokenViewer")
WORKFLOWS = sorted((ROOT / "example_workflows").glob("*.json"))
WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
CONTROL = "control_after_generate"  # the widget that the front end puts behind a seed
AFTER = ("fixed", "increment", "decrement", "randomize")
# Core nodes of every supported ComfyUI, and the front end's own.
CORE = {
    "CheckpointLoaderSimple", "CLIPTextEncode", "EmptyLatentImage", "ImageBatch", "KSampler",
    "LoadImage", "MarkdownNote", "SaveImage", "VAEDecode",
}  # fmt: skip
# The front end compiles locale messages, and these characters are its syntax.
SYNTAX = re.compile(r"[{}@|]")
MOST_BYTES = 200_000


def schema_of(comfy: Comfy, node_id: str) -> Any:
    return comfy.nodes[node_id].define_schema()


def is_widget(given: Any) -> bool:
    return given.io_type in WIDGETS and not given.options.get("force_input")


def output_name(output: Any) -> str:
    return output.display_name or output.id


def locale(language: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "locales" / language / "nodeDefs.json").read_text())
    return found


def texts(entry: Any) -> Iterator[str]:
    """Every text of a locale file."""
    for value in entry.values():
        if isinstance(value, dict):
            yield from texts(value)
        else:
            yield value


# Locales


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_locale_has_every_input_and_output_and_no_other(comfy: Comfy, language: str) -> None:
    found = locale(language)
    assert set(found) == set(comfy.nodes) == set(NODE_IDS)
    for node_id, entry in found.items():
        schema = schema_of(comfy, node_id)
        assert set(entry) == {"display_name", "description", "inputs", "outputs"}
        ids = {i.id for i in schema.inputs}
        if any(i.options.get(CONTROL) for i in schema.inputs):
            ids.add(CONTROL)
        assert set(entry["inputs"]) == ids
        assert set(entry["outputs"]) == {str(place) for place in range(len(schema.outputs))}
        for key, text in (*entry["inputs"].items(), *entry["outputs"].items()):
            expected = {"name"} if key == CONTROL else {"name", "tooltip"}
            if language == "en" and key == "template" and node_id == "PEZ_ImageToHardPrompt":
                expected = {"name"}  # shows braces, so the node's own is left to speak
            assert set(text) == expected, (node_id, key)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_front_end_can_show_every_text_of_a_locale(language: str) -> None:
    """Braces, @ and | are its syntax: `{8}` would come out as nothing."""
    for text in texts(locale(language)):
        assert text.strip() == text != "" and not SYNTAX.search(text), text


def test_the_english_locale_says_what_the_nodes_say(comfy: Comfy) -> None:
    for node_id, entry in locale("en").items():
        schema = schema_of(comfy, node_id)
        assert entry["display_name"] == schema.display_name
        assert entry["description"] == schema.description
        for given in schema.inputs:
            text, tooltip = entry["inputs"][given.id], given.options["tooltip"]
            assert text["name"] == given.id
            assert text.get("tooltip", tooltip) == tooltip
            assert ("tooltip" in text) == (not SYNTAX.search(tooltip))
        for place, output in enumerate(schema.outputs):
            text = entry["outputs"][str(place)]
            assert text == {"name": output_name(output), "tooltip": output.tooltip}


def test_the_chinese_locale_is_chinese() -> None:
    for node_id, entry in locale("zh").items():
        parts = (*entry["inputs"].values(), *entry["outputs"].values())
        tooltips = [part["tooltip"] for part in parts if "tooltip" in part]
        for text in (entry["display_name"], entry["description"], *tooltips):
            assert re.search(r"[\u4e00-\u9fff]", text), (node_id, text)


# Help pages


def help_page(node_id: str, language: str) -> str:
    """Where the front end looks: the page of the language, then the one for all."""
    folder = ROOT / "web" / "docs"
    page = folder / node_id / f"{language}.md"
    return (page if page.is_file() else folder / f"{node_id}.md").read_text()


def rows(page: str, table: int) -> dict[str, str]:
    """The first cells of a table's rows: what follows each name, such as its default."""
    found: dict[str, str] = {}
    block = [b for b in page.split("\n\n") if b.startswith("|")][table]
    for line in block.splitlines()[2:]:
        cell = line.strip("|").split("|")[0].strip()
        match = re.fullmatch(r"`(\w+)`(?: … `(\w+)`)?(（[^）]+）)?(?:<br>(.*))?", cell)
        assert match, cell
        for name in series(match[1], match[2]):
            assert name not in found
            found[name] = match[4] or ""
    return found


def series(first: str, last: str | None) -> list[str]:
    """`prompt_1_weight` … `prompt_8_weight` spelt out."""
    if last is None:
        return [first]
    one, many = re.findall(r"\d+", first), re.findall(r"\d+", last)
    return [first.replace(one[0], str(n)) for n in range(int(one[0]), int(many[0]) + 1)]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("node_id", NODE_IDS)
def test_a_help_page_lists_every_input_with_its_default(
    comfy: Comfy, node_id: str, language: str
) -> None:
    listed = rows(help_page(node_id, language), table=0)
    schema = schema_of(comfy, node_id)
    assert set(listed) == {given.id for given in schema.inputs}
    for given in schema.inputs:
        default = given.options.get("default", "")
        shown = f"{default:g}" if isinstance(default, float) else str(default)
        assert listed[given.id] == shown, given.id


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("node_id", NODE_IDS)
def test_a_help_page_lists_every_output(comfy: Comfy, node_id: str, language: str) -> None:
    listed = rows(help_page(node_id, language), table=1)
    assert list(listed) == [output_name(output) for output in schema_of(comfy, node_id).outputs]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("node_id", NODE_IDS)
def test_a_help_page_quotes_messages_that_exist(node_id: str, language: str) -> None:
    said = "\n".join(spoken())
    blocks = help_page(node_id, language).split("\n\n")
    (table,) = [b for b in blocks if b.startswith(("| message |", "| 信息 |"))]
    for line in table.splitlines()[2:]:
        quoted = re.sub(r"`(negative_)?image(_1)?`|\*|\([^)]*\)|（[^）]*）", "", line.split("|")[1])
        for part in re.split(r"[;；…]", quoted):
            assert part.strip() in said, part


def spoken() -> Iterator[str]:
    """Every text in the code, with … for what is filled in."""
    for path in (*(ROOT / "nodes").glob("*.py"), *(ROOT / "pez_core").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                yield "".join(v.value if isinstance(v, ast.Constant) else "…" for v in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
    yield from (path.read_text() for path in (ROOT / "web" / "js").glob("*.js"))


def test_there_is_no_help_page_without_a_node() -> None:
    folder = ROOT / "web" / "docs"
    pages = {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")}
    assert pages == {f"{n}.md" for n in NODE_IDS} | {f"{n}/zh.md" for n in NODE_IDS}


# Example workflows


def test_there_are_example_workflows_and_nothing_else_beside_them() -> None:
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
    assert set(types) <= CORE | set(comfy.nodes)
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
    """ComfyUI comes with example.png; a checkpoint that is missing is offered for download."""
    for node in workflow["nodes"]:
        if node["type"] == "LoadImage":
            assert node["widgets_values"][0] == "example.png"
        if node["type"] == "CheckpointLoaderSimple":
            (offered,) = node["properties"]["models"]
            assert offered["name"] == node["widgets_values"][0]
            assert offered["directory"] == "checkpoints" and offered["url"].startswith("https://")


def test_the_nodes_of_a_workflow_do_not_overlap(workflow: dict[str, Any]) -> None:
    boxes = [(*node["pos"], *node["size"], node["id"]) for node in workflow["nodes"]]
    for i, (x, y, width, height, one) in enumerate(boxes):
        for left, top, wide, high, other in boxes[i + 1 :]:
            apart = x + width <= left or left + wide <= x
            apart = apart or y + height <= top - 30 or top + high <= y - 30  # 30: the title
            assert apart, (one, other)
