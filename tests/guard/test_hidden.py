"""What hides a word from CLIP does not hide it from the guard: marks, signs that nobody sees,
accents, capitals, letters that look alike, escapes."""

from __future__ import annotations

import json
import logging

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pez_core import ClipModel, Guard, learn_prompt, make_guard, make_mask, make_targets
from pez_core.config import DEFAULT
from pez_core.text.look_alikes import LOOK_ALIKES
from tests.support.commands import Pez

NEAR = ("a watermelon", "quiet lady watermelons slices", "a hot slice of pizza", "two pizzas")
MARKS = ("<start_of_text>", "<end_of_text>", "<|startoftext|>", "<|endoftext|>", "＜end_of_text＞")
UNSEEN = (
    "\u200b",
    "\u00ad",
    "\u2060",
    "\ufeff",
    "\ufe0f",
    "\u3164",
    "\U000e0101",
    "\x00",
    "\udcff",
)
ACCENTS = ("\u0301", "\u0336", "\u0338", "\u20dd")
LIKE = {
    letter: [sign for sign, letters in LOOK_ALIKES.items() if letters == letter]
    for letter in "abcdefghijklmnopqrstuvwxyz"
}


@pytest.fixture(scope="module")
def guard(demo: ClipModel) -> Guard:
    return make_guard(demo, ["a watermelon", "pizza"])


def changed(letter: str, draw: st.DrawFn) -> str:
    """A letter, written as somebody writes who hides it."""
    if not letter.isalpha():
        return letter
    ways = [letter.upper(), chr(ord(letter) - 0x20 + 0xFF20), f"&#{ord(letter)};", *LIKE[letter]]
    return draw(st.sampled_from(ways))


@st.composite
def hidden(draw: st.DrawFn) -> str:
    """A near text with signs between its letters, and with other letters in places."""
    text = draw(st.sampled_from(NEAR))
    unseen = draw(st.sampled_from((*MARKS, *UNSEEN)))  # one kind inside words
    written = ""
    for letter in text:
        written += changed(letter, draw) if draw(st.integers(0, 3)) == 0 else letter
        if letter.isalpha():
            written += draw(st.sampled_from(["", "", "", *ACCENTS, unseen]))
    return written


@settings(max_examples=60, deadline=None, derandomize=True)
@given(text=hidden())
@example("quiet lady <end_of_text> watermelons slices")
@example("quiet lady &lt;end_of_text&gt; watermelons slices")
@example("quiet lady <|endoftext|>watermelons<|endoftext|>slices")
@example("a w\u200bаtermеlon")
@example("p&#105;zza golfing")
@example("ｐｉｚｚａ golfing")
def test_what_is_near_stays_near_or_is_found(demo: ClipModel, guard: Guard, text: str) -> None:
    (found,) = guard.check(demo, [text])
    assert any(one.near or one.says for one in found.values()), ascii(text)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(text=st.sampled_from(NEAR), sign=st.sampled_from((*MARKS, *UNSEEN)))
def test_signs_in_place_of_spaces_separate(
    demo: ClipModel, guard: Guard, text: str, sign: str
) -> None:
    plain, odd = guard.check(demo, [text, sign.join(text.split())])
    for name in guard.names:
        assert odd[name].similarity >= plain[name].similarity - 1e-5
        assert set(odd[name].says) >= set(plain[name].says)


def test_plain_text_is_read_once(
    demo: ClipModel, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the cost and with the result of the text alone."""
    read: list[list[str]] = []
    encode = ClipModel.encode_texts

    def counting(self: ClipModel, texts: list[str], *more: object) -> object:
        read.append(list(texts))
        return encode(self, texts, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(ClipModel, "encode_texts", counting)
    cosines = guard.nearest(demo, ["A quiet lady", "pizza!"])
    assert read == [["A quiet lady", "pizza!"]]
    assert cosines.tolist() == guard.cosines(encode(demo, read[0])).tolist()


def test_a_concept_is_avoided_as_it_reads(
    demo: ClipModel, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        guard = make_guard(demo, ["wаtermelon", "pizza", "ｐizza", "café"])
    assert guard.names == ("wаtermelon", "pizza", "ｐizza", "café", "watermelon")
    assert "'w\\u0430termelon' reads as 'watermelon', which is avoided as well" in caplog.text
    (found,) = guard.check(demo, ["a slice of watermelon"])
    assert found["watermelon"].near and found["watermelon"].says == ("watermelon",)


def test_a_search_says_of_its_template_what_check_says(demo: ClipModel, guard: Guard) -> None:
    targets = make_targets(demo.encode_texts(["a castle"]))
    mask = make_mask(demo.vocabulary, allow=["castle", "tree"])
    config = DEFAULT.replace(steps=2, refine=0, restarts=2)
    learned = learn_prompt(
        demo, targets, "a wаtermelon {1}", config=config, mask=mask, guard=guard
    ).best
    (checked,) = guard.check(demo, [learned.text])
    assert learned.near == ("a watermelon",) and checked["a watermelon"].near
    assert learned.guard["a watermelon"].similarity == pytest.approx(
        checked["a watermelon"].similarity, abs=1e-5
    )


@pytest.mark.parametrize(
    "text",
    [
        "quiet lady <end_of_text> watermelons slices", "quiet lady wаtermelons",
        "\udcff watermelon",
        "quiet lady <|endoftext|> watermelons slices", "w\0atermelon",
    ],
)  # fmt: skip
def test_the_command_says_so_too(pez: Pez, text: str) -> None:
    code, out, _ = pez("check", text, "--avoid", "a watermelon", "--json")
    assert code == 1 and json.loads(out)["clear"] is False


def test_every_verb_reads_behind_a_mark(pez: Pez, root: object) -> None:
    for mark in ("<end_of_text>", "<|endoftext|>"):
        out = json.loads(pez("tokens", f"cat {mark} dog", "--json")[1])
        assert [out["tokens"][i]["text"] for i in (0, -1)] == ["cat", "dog"]
        assert {token["id"] for token in out["tokens"]}.isdisjoint({49406, 49407})
