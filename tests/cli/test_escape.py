"""`--escape`: prompts printed so that a program reads them literally."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pez_core.text.vocabulary import Vocabulary
from tests.support.commands import Pez
from tests.support.prompt_readers import READERS, comfyui

QUICK = ["--steps", "2", "--restarts", "2", "--tokens", "3", "--candidates", "3"]
TEXT = ["--text", "a red heart"]
ODD = "( ) [ ] :) (: \\ heart"


@pytest.fixture
def odd(tmp_path: Path) -> list[str]:
    """Options by which the words are signs that programs read."""
    path = tmp_path / "signs.txt"
    path.write_text(ODD, encoding="utf-8")
    return ["--allow", str(path), *QUICK]


def printed(out: str) -> list[str]:
    """The prompts of the printed lines."""
    return [line.split("  ", 1)[1] for line in out.splitlines() if line[:1].isdigit()]


@pytest.mark.parametrize("program", ["comfyui", "a1111"])
def test_what_is_printed_is_read_literally(
    pez: Pez, odd: list[str], vocabulary: Vocabulary, program: str
) -> None:
    """To the ids that were scored. The JSON has both the text and the text to give the program."""
    found = json.loads(pez("invert", *TEXT, *odd, "--json")[1])
    plain = [candidate["prompt"] for candidate in found["candidates"]]
    assert any(sign in text for text in plain for sign in "()[]\\"), "nothing to escape"
    assert printed(pez("invert", *TEXT, *odd)[1]) == plain
    escaped = printed(pez("invert", *TEXT, *odd, "--escape", program)[1])
    for text, candidate in zip(escaped, found["candidates"], strict=True):
        read, literal = READERS[program](text)
        assert literal and vocabulary.encode(read) == candidate["ids"]
    asked = json.loads(pez("invert", *TEXT, *odd, "--escape", program, "--json")[1])
    assert [candidate["escaped"] for candidate in asked["candidates"]] == escaped
    assert (asked["prompt"], asked["escaped"]) == (plain[0], escaped[0])
    if program == "comfyui":
        assert asked["candidates"] == found["candidates"]  # the field is there without the option
        assert printed(pez("invert", *TEXT, *odd, "--escape")[1]) == escaped


def test_every_verb_that_prints_prompts_has_it(pez: Pez, odd: list[str], root: Path) -> None:
    """The lines below the candidates too."""
    pictures = [str(root / "examples" / f"{name}.png") for name in ("penguin", "pizza")]
    for command in (
        ["mix", pictures[0], "a heart"],
        ["mix", *pictures, "--mode", "concatenate"],
        ["style", *pictures, "--subject", "a fox (red)"],
        ["distill", "a red heart (small) on white", "--curve"],
    ):
        plain = printed(pez(*command, *odd)[1])
        escaped = printed(pez(*command, *odd, "--escape")[1])
        assert any("(" in text or ")" in text for text in plain), command
        assert escaped == [text.replace("(", r"\(").replace(")", r"\)") for text in plain]
        found = json.loads(pez(*command, *odd, "--json")[1])
        for entry in (*found["candidates"], *found.get("applied", []), *found.get("curve", [])):
            assert comfyui(entry["escaped"])[0] == entry["prompt"]


def test_a_folders_lines_have_the_field(pez: Pez, odd: list[str], tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    root = Path(__file__).resolve().parents[2]
    (tmp_path / "pictures" / "a.png").write_bytes((root / "examples" / "pizza.png").read_bytes())
    out = tmp_path / "r.jsonl"
    assert pez("invert-folder", str(tmp_path / "pictures"), "--out", str(out), *odd)[0] == 0
    record = json.loads(out.read_text(encoding="utf-8"))
    for entry in (record, *record["candidates"]):
        assert comfyui(entry["escaped"]) == (entry["prompt"], True)


@pytest.mark.parametrize(("program", "sign"), [("comfyui", "//"), ("a1111", "#")])
def test_a_sign_without_an_escape_is_told(
    pez: Pez, caplog: pytest.LogCaptureFixture, program: str, sign: str
) -> None:
    """Once, with a way to keep it out; not where the text has none."""
    for template, told in (("a {2} " + sign, 1), ("a {2}", 0)):
        caplog.clear()
        options = ["--steps", "2", "--restarts", "2", "--template", template]
        assert pez("invert", *TEXT, *options, "--escape", program)[0] == 0
        wanted = f"{program} has no escape for {sign}: --ban '*{sign}*' excludes such words"
        assert caplog.text.count(wanted) == told, caplog.text


def test_another_program_is_refused(pez: Pez) -> None:
    """In one line; a picture that comes after the option is not taken for one in silence."""
    code, out, err = pez("invert", "--escape", "photo.png")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "'photo.png' is none of comfyui, a1111" in err and "--escape last" in err
