"""What surrounds the nodes says what the nodes are: locales and help pages."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.nodes_support import CONTROL, ROOT, Comfy, output_name, schema_of

pytest_plugins = ("tests.support.nodes_fixtures",)

LANGUAGES = ("en", "zh")
NODE_IDS = ("PEZ_ImageToHardPrompt", "PEZ_PromptMixer", "PEZ_PromptRanker", "PEZ_TokenViewer")
# The front end compiles locale messages, and these characters are its syntax.
SYNTAX = re.compile(r"[{}@|]")


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

CALLED = {  # what its id does not tell a user
    ("PEZ_ImageToHardPrompt", "text_targets"): "texts to match",
    ("PEZ_TokenViewer", "tokens"): "token data",
}


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
            assert text["name"] == CALLED.get((node_id, given.id), given.id)
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
        match = re.fullmatch(r"`([\w ]+)`(?: … `(\w+)`)?(（[^）]+）)?(?:<br>(.*))?", cell)
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
        if (given.id, node_id) in {("model", n) for n in NODE_IDS if n != "PEZ_TokenViewer"}:
            default = ""  # what is on the machine
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
    for path in (*(ROOT / "nodes").rglob("*.py"), *(ROOT / "pez_core").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                yield "".join(v.value if isinstance(v, ast.Constant) else "…" for v in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
    yield from (path.read_text() for path in (ROOT / "web" / "js").glob("*.js"))


def test_there_is_no_help_page_without_a_node() -> None:
    folder = ROOT / "web" / "docs"
    pages = {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")}
    assert pages == {f"{n}{page}" for n in NODE_IDS for page in (".md", "/en.md", "/zh.md")}


@pytest.mark.parametrize("node_id", NODE_IDS)
def test_the_english_page_is_the_one_for_all(node_id: str) -> None:
    """The front end asks for it first, and a page that is missing is logged as an error."""
    assert help_page(node_id, "en") == help_page(node_id, "fr")
