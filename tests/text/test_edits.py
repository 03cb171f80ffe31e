"""A prompt taken apart into words, and what follows from a user's edits; the front end is held to
the same fixture."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from pez_core.errors import EditsError
from pez_core.text.bans import escape_ban
from pez_core.text.edits import Edits, Word, edited_text, parse_edits, split_words, template
from pez_core.text.template import MOST_TOKENS, Fixed, Slot, parse_template
from pez_core.text.text_parts import text_parts
from pez_core.text.vocabulary import Vocabulary, clip_vocabulary

FIXTURE = Path(__file__).parents[1] / "fixtures" / "edits.json"
WORDS = clip_vocabulary()
# Of ASCII the tokeniser mends only character references and the vertical tab, which it takes out.
ascii_texts = st.text([c for c in string.printable if c not in "&\v"], max_size=60)
prompts = st.lists(
    st.sampled_from(
        ["cat", "Watermelon", "skater", "it's", ",", "...", "(", ")", "{", "}", "x:1.2", "!?", "42"]
    ),
    max_size=12,
).map(" ".join)
edits = st.builds(
    Edits,
    source=st.text(max_size=9),
    locked=st.frozensets(st.integers(0, 15)),
    banned=st.lists(st.sampled_from(["cat", "skater", ",", "absent"]), unique=True).map(tuple),
    replaced=st.dictionaries(st.integers(0, 15), st.sampled_from(["dog", "{b}", "red"])),
)


def joined(words: list[Word]) -> str:
    return "".join(word.before + word.text for word in words)


@given(ascii_texts)
@example("a  b,c\n\nD'oh!! isn't  ")
@example("<|startoftext|> x")
def test_joined_the_words_are_the_text(text: str) -> None:
    """As written: case, white space and all, but for the white space around it."""
    words = split_words(text, WORDS)
    assert joined(words) == text.strip()
    assert [i for word in words for i in word.ids] == WORDS.encode(text)
    for word in words:
        assert word.before.strip() == "" and word.text == word.text.strip() != ""
        assert WORDS.decode(word.ids) == word.text.lower()


@given(st.text(max_size=30))
@example("\u201ccurly\u201d &amp;amp; \ufb01ne \u00e9 e\u0301 \x00 \U0001f600")
def test_every_text_comes_apart(text: str) -> None:
    """What the tokeniser mends comes out mended; no token is lost."""
    words = split_words(text, WORDS)
    assert [i for word in words for i in word.ids] == WORDS.encode(text)
    assert all(word.ids for word in words) and (not words or words[0].before == "")


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", []),
        ("  \n", []),
        ("Cat,dog", ["Cat", ",", "dog"]),
        ("it's 42!", ["it", "'s", "4", "2", "!"]),
        ("a \u2018b\u2019 c", ["a", "'", "b", "'", "c"]),
        ("x &lt; y", ["x", "<", "y"]),
    ],
)
def test_the_words_of_a_text(text: str, pieces: list[str]) -> None:
    assert [word.text for word in split_words(text, WORDS)] == pieces


@given(edits)
def test_edits_survive_their_json(given_: Edits) -> None:
    assert parse_edits(json.dumps(given_.to_json())) == given_
    data = given_.to_json()
    assert list(data) == ["schema", "source", "locked", "banned", "replaced"]
    assert data["locked"] == sorted(data["locked"])


def test_no_edits() -> None:
    assert parse_edits("") == parse_edits(" \n") == Edits()
    assert parse_edits('{"schema": 1, "source": "a"}') == Edits("a")


def test_bans_are_read_in_lower_case_and_once() -> None:
    found = parse_edits('{"schema": 1, "source": "", "banned": ["Lady", "lady", "Ox"]}')
    assert found.banned == ("lady", "ox")


@pytest.mark.parametrize(
    "text",
    [
        "x", "{", "[]", "1", "null", '"a"', "{}", '{"schema": 1}', '{"schema": 2, "source": ""}',
        '{"schema": 1, "source": "", "locked": 3}', '{"schema": 1, "source": "", "locked": ["a"]}',
        '{"schema": 1, "source": "", "replaced": []}',
        '{"schema": 1, "source": "", "replaced": {"x": "y"}}',
        '{"schema": 1, "source": "", "banned": 1}',
    ],
)  # fmt: skip
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(EditsError, match="cannot be read.*reset them"):
        parse_edits(text)


def test_edits_of_another_text_only_ban() -> None:
    given_ = Edits("a", frozenset({1}), ("cat",), {0: "b"})
    assert given_.of("a") is given_
    assert given_.of("b") == Edits("b", banned=("cat",))


@given(prompts, edits)
def test_a_template_is_one(prompt: str, given_: Edits) -> None:
    """Whatever is locked: its fixed words are the locked ones, and its slots have as many tokens
    as the words they stand for."""
    words = split_words(prompt, WORDS)
    text = template(words, given_)
    locked = [
        (given_.replaced.get(i, word.text), len(word.ids))
        for i, word in enumerate(words)
        if i in given_.locked and not given_.bans(word)
    ]
    free = sum(len(w.ids) for i, w in enumerate(words) if i not in given_.locked or given_.bans(w))
    if not free:
        assert "".join(text.split()) == "".join(w for w, _ in locked).replace("{", "{{").replace(
            "}", "}}"
        )
        return
    assume(free + sum(count for _, count in locked) <= 60)
    parsed = parse_template(text, WORDS)
    assert parsed.learned == free
    fixed = "".join(part.text for part in parsed.parts if isinstance(part, Fixed))
    assert "".join(fixed.split()) == "".join("".join(word.split()) for word, _ in locked)
    slots = [part for part in parsed.parts if isinstance(part, Slot)]
    assert len(slots) == text.count("{") - 2 * text.count("{{")


@given(prompts, edits)
def test_the_template_of_a_prompt_holds_its_tokens(prompt: str, given_: Edits) -> None:
    """With nothing replaced or banned the layout has the ids of the locked words where they were,
    as far as the spaces around slots leave them."""
    words = split_words(prompt, WORDS)
    plain = Edits(locked=given_.locked)
    text = template(words, plain)
    assume("{" in text.replace("{{", "").replace("}}", ""))
    layout = parse_template(text, WORDS).layout[1:-1]
    assert len(layout) == sum(len(word.ids) for word in words)
    place = 0
    for index, word in enumerate(words):
        here = layout[place : place + len(word.ids)]
        assert here == (word.ids if index in plain.locked else (-1,) * len(word.ids))
        place += len(word.ids)


@given(prompts, edits)
def test_no_banned_word_is_left(prompt: str, given_: Edits) -> None:
    words = split_words(prompt, WORDS)
    kept = [word for word in words if not given_.bans(word)]
    untouched = Edits(banned=given_.banned)
    text = edited_text(words, untouched)
    assert text == text.strip() and joined(kept).strip() == text
    assert edited_text(words, Edits()) == prompt.strip()


@pytest.mark.parametrize(
    ("prompt", "given_", "expected"),
    [
        ("two (striped) cats", Edits(banned=("(",)), ["two", "striped", ")", "cats"]),
        ("a fire-truck", Edits(banned=("-",)), ["a", "fire", "truck"]),
        ("red,blue", Edits(replaced={1: "and"}), ["red", "and", "blue"]),
    ],
)
def test_words_stay_apart(prompt: str, given_: Edits, expected: list[str]) -> None:
    """Where the sign between them goes, or becomes a word."""
    text = edited_text(split_words(prompt, WORDS), given_)
    assert [word.text for word in split_words(text, WORDS)] == expected


CASES: list[dict[str, Any]] = json.loads(FIXTURE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_rules_that_the_front_end_has_too(case: dict[str, Any]) -> None:
    words = [
        Word(w["before"], w["text"], tuple(token["id"] for token in w["tokens"]))
        for w in case["words"]
    ]
    found = parse_edits(json.dumps(case["edits"])).of(case["source"])
    assert edited_text(words, found) == case["text"]
    assert template(words, found) == case["template"]
    assert ", ".join(escape_ban(word) for word in found.banned) == case["ban"]


def test_the_fixture_covers_every_kind_of_edit(vocabulary: Vocabulary) -> None:
    for kind in ("locked", "banned", "replaced"):
        assert sum(bool(case["edits"][kind]) for case in CASES) >= 3, kind


def test_a_long_text_is_split_in_one_go() -> None:
    """60,000 words, and a word of as many letters. With a copy of the rest for each word it would
    take minutes."""
    text = "a “ cat " * 20_000
    words = split_words(text, WORDS)
    assert len(words) == 60_000 and [word.text for word in words[-3:]] == ["a", '"', "cat"]
    long = text_parts("abcdefgh" * 8_000, WORDS)
    assert "".join(part.replace(" ", "") for part in long) == "abcdefgh" * 8_000
    assert max(len(WORDS.encode(part)) for part in long) <= MOST_TOKENS
