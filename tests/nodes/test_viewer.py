"""Token Viewer: what it shows of a prompt, and what it makes of the user's edits."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pez_core.text.template import parse_template
from pez_core.text.vocabulary import Vocabulary
from tests.support.nodes_support import DEMO, Comfy, edits, example, image_of, viewed

pytest_plugins = ("tests.support.nodes_fixtures",)

CLOSE = 2e-4
ODD = [
    "", " ", "\n", "a  b\n\n c ", "((a)) (b:1.2) \\(c\\)", "(unbalanced", "x) y(", "()", "(:1.2)",
    "embedding:thing, a", "{a|b} // c", "<lora:x:1>", "cafe\u0301 caf\u00e9", "\u201cA\u201d",
    "a &amp; b &lt;3", "<|endoftext|> a", "\U0001f600 ok", "\u65e5\u672c\u8a9e", "A B C", "x" * 900,
    "\\", "a\\", "\x00 a", "word " * 100,
]  # fmt: skip


@pytest.mark.parametrize("prompt", ODD)
@pytest.mark.parametrize("of", ["", "another text"])
def test_an_unedited_prompt_is_passed_on_as_it_came(comfy: Comfy, prompt: str, of: str) -> None:
    """Byte for byte, also with edits that belong to another text."""
    given = edits(of, locked=[0], replaced={"0": "new"}) if of else ""
    out = comfy.view(prompt=prompt, edits=given)
    assert out.result[0] == prompt and out.result[2] == ""
    shown = out.ui["pez"][0]
    assert shown["text"] == shown["source"] == comfy.module("nodes.run.prompt_text").read(prompt)[0]
    assert not any(word["locked"] or word["replaced"] for word in shown["words"])


def test_what_is_shown_of_a_prompt(comfy: Comfy, vocabulary: Vocabulary) -> None:
    out = comfy.view(prompt=r"Watermelonish skater, \(a (big:1.3) one\)")
    shown = viewed(out)
    assert shown["source"] == shown["text"] == "Watermelonish skater, (a big one)"
    assert [word["text"] for word in shown["words"]] == [
        "Watermelonish", "skater", ",", "(", "a", "big", "one", ")",
    ]  # fmt: skip
    ids = [token["id"] for word in shown["words"] for token in word["tokens"]]
    assert ids == vocabulary.encode(shown["source"])
    assert [token["text"] for token in shown["words"][0]["tokens"]] == [
        "water", "mel", "on", "ish",
    ]  # fmt: skip
    assert shown["counts"] == [{"encoder": "CLIP", "tokens": len(ids)}]
    assert shown["exact"] and shown["exact_text"] == ""
    assert (shown["similarity"], shown["compared_with"]) == (None, None)
    assert all(t["contribution"] is None for w in shown["words"] for t in w["tokens"])
    assert out.result[1] == shown["template"] == f"{{{len(ids)}}}"


def test_an_empty_prompt(comfy: Comfy) -> None:
    for given in ({}, {"model": DEMO}, {"model": DEMO, "image": image_of(example())}):
        shown = viewed(comfy.view(prompt="", **given))
        assert shown["words"] == [] and shown["template"] == "" and shown["exact"]
        assert shown["counts"] == [{"encoder": "CLIP", "tokens": 0}]


def test_nothing_to_view(comfy: Comfy) -> None:
    with pytest.raises(comfy.errors.TargetError, match="nothing to view: type a prompt, or"):
        comfy.view(prompt=None)
    with pytest.raises(comfy.errors.TargetError, match="with the picture, choose a model"):
        comfy.view(prompt="a cat", image=image_of(example()))


@pytest.mark.parametrize(
    "text", ["{", "[]", "3", "null", "{}", '{"schema": 2, "source": ""}', '{"schema": 1}']
)
def test_malformed_edits(comfy: Comfy, text: str) -> None:
    with pytest.raises(comfy.errors.EditsError, match="cannot be read.*reset them"):
        comfy.view(prompt="a cat", edits=text)


@pytest.mark.parametrize(
    ("prompt", "come_back"),
    [
        ("\u201ccurly\u201d quotes", '" curly " quotes'),
        ("cat &amp; dog", "cat & dog"),
        ("5 &lt; 6", "5 < 6"),
        ("\uff21\uff22", "ab"),
    ],
)
def test_a_text_that_does_not_come_back(comfy: Comfy, prompt: str, come_back: str) -> None:
    """CLIP's tokeniser mends it: what it reads instead is shown."""
    shown = payload_of_mended(comfy.view(prompt=prompt))
    assert not shown["exact"] and shown["exact_text"] == come_back


def payload_of_mended(out: Any) -> dict[str, Any]:
    """The words are those the tokeniser reads, which is why they do not make up the source."""
    return dict(json.loads(json.dumps(out.ui))["pez"][0])


def test_case_and_white_space_come_back(comfy: Comfy) -> None:
    assert viewed(comfy.view(prompt="A  Big\n Cat, here"))["exact"]


def test_locked_words_become_a_template(comfy: Comfy, vocabulary: Vocabulary) -> None:
    """The prompt stays as it is; the template is one for Image→Hard Prompt."""
    prompt = "big red fruit watermelon skater {x}, summer"
    out = comfy.view(prompt=prompt, edits=edits(prompt, locked=[3, 5, 6, 7]))
    assert out.result[0] == prompt
    template = parse_template(out.result[1], vocabulary)
    assert out.result[1] == "{3} watermelon {1} {{x}}, {1}"
    assert template.learned == 5
    assert [w["locked"] for w in viewed(out)["words"]] == [False] * 3 + [True, False] + [
        True
    ] * 3 + [False]


def test_a_replaced_word(comfy: Comfy) -> None:
    prompt = r"a \(red\) cat, sleeping"
    out = comfy.view(prompt=prompt, edits=edits("a (red) cat, sleeping", replaced={"4": "(x)"}))
    assert out.result[0] == r"a \(red\) \(x\) , sleeping"
    shown = viewed(out)
    assert shown["text"] == out.ui["text"][0] == "a (red) (x) , sleeping"
    assert [word["replaced"] for word in shown["words"]] == [None] * 4 + ["(x)", None, None]
    assert shown["words"][4]["text"] == "cat"


def test_a_banned_word(comfy: Comfy) -> None:
    """In any case, every time, and also when the edits were made for another text."""
    prompt = "Lady and lady, ladybug"
    for source in (prompt, "an older text"):
        given = edits(source, banned=["lady", "absent"], locked=[0, 1], replaced={"1": "or"})
        out = comfy.view(prompt=prompt, edits=given)
        middle = "or" if source == prompt else "and"
        assert out.result[0] == f"{middle}, ladybug" and out.result[2] == "lady, absent"
        shown = viewed(out)
        assert [word["banned"] for word in shown["words"]] == [True, False, True, False, False]
        assert shown["edits"]["source"] == prompt


def test_weights_survive_an_edit(comfy: Comfy) -> None:
    """Of the words that stay, and of one that is replaced; what was one group stays one."""
    prompt = r"a (big red:1.3) cat, ((soft)) [fur:0.5], (\(x\) y:0.8)"
    source = "a big red cat, soft [fur:0.5], (x) y"
    out = comfy.view(prompt=prompt, edits=edits(source, replaced={"2": "blue"}, banned=["cat"]))
    read = comfy.module("nodes.run.prompt_text").read
    text, weights = read(out.result[0])
    assert text == out.ui["text"][0] == "a big blue, soft [fur:0.5], (x) y"
    for word, weight in (("a", 1.0), ("big", 1.3), ("blue", 1.3), ("soft", 1.21), ("x", 0.8)):
        assert weights[text.index(word)] == pytest.approx(weight), word
    assert "(big blue:1.3)" in out.result[0] and r"(\(x\) y:0.8)" in out.result[0]
