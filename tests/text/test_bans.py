"""Lists of bans: any word can be banned, commas, stars and backslashes too."""

from __future__ import annotations

import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pez_core.clip.models import ClipModel
from pez_core.text.bans import escape_ban, make_bans, split_bans
from pez_core.text.vocabulary import clip_vocabulary, make_mask

signs = st.text(st.sampled_from("ab*,\\:)("), min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" , ,\n", []),
        ("cat, dog", ["cat", "dog"]),
        ("cat\ndog,,ox", ["cat", "dog", "ox"]),
        (r"\,, \*", [r"\,", r"\*"]),
        (r"a\,b*", [r"a\,b*"]),
    ],
)
def test_a_list_is_split_at_bare_commas_and_lines(text: str, words: list[str]) -> None:
    assert split_bans(text) == words


@given(st.lists(signs, min_size=1, max_size=4), signs)
def test_escaped_words_come_back_and_ban_themselves_alone(words: list[str], other: str) -> None:
    entries = split_bans(", ".join(escape_ban(word) for word in words))
    assert entries == [escape_ban(word) for word in words]
    permits = make_mask(clip_vocabulary(), ban=entries).permits
    assert not any(permits(word) for word in words)
    letters = {"".join(c for c in other if c.isalpha()), other}
    if not letters & set(words) and not any(c in "ab" for c in other):
        assert permits(other)


@pytest.mark.parametrize("sign", [",", "*", "\\"])
def test_a_sign_can_be_banned(demo: ClipModel, sign: str) -> None:
    everything = make_mask(demo.vocabulary, "ascii")
    mask = make_mask(demo.vocabulary, "ascii", ban=[escape_ban(sign)])
    assert set(everything.ids) - set(mask.ids) == set(demo.vocabulary.encode(sign))


@given(st.text("ab*\\", min_size=1, max_size=8), st.lists(st.text("ab*\\", max_size=8), max_size=9))
def test_a_star_is_any_letters(word: str, texts: list[str]) -> None:
    """As a regular expression says it, for words short enough for one."""
    if not word.strip("*"):
        return
    signs = re.findall(r"\\.|.", word)
    pattern = "".join(r"\S*" if sign == "*" else re.escape(sign[-1]) for sign in signs)
    bans = make_bans([word])
    assert bans is not None
    for text in texts:
        assert bans.ban(text) is bool(re.fullmatch(pattern, text)), (word, text)


@pytest.mark.parametrize("word", ["*" * 300 + "x", "*a" * 60 + "*b", "a*" * 60 + "b", "x" * 10**6])
def test_no_pattern_takes_for_ever(word: str) -> None:
    """A regular expression goes back once for every star, and does not end within hours."""
    mask = make_mask(clip_vocabulary(), "all", ban=[word])
    assert mask.permits("a" * 20_000)
    assert not mask.permits("a" * 100 + "b") or "x" in word


def test_long_lists_of_bans_are_looked_up() -> None:
    """Not gone through: every word is looked up as often as there are lengths of patterns."""
    words = [f"{chr(97 + i % 26)}{i:05}" for i in range(30_000)]
    bans = make_bans([*words, *(f"*{word}*" for word in words), "cat*"])
    assert bans is not None and pickle.loads(pickle.dumps(bans)) == bans
    assert bans.ban("b00001") and bans.ban("xb00001y") and bans.ban("cats")
    assert not any(map(bans.ban, ["bobcat"] * 2_000))


def test_bans_add_up(demo: ClipModel) -> None:
    mask = make_mask(demo.vocabulary, ban=["cat*", "dog"]).less(demo.vocabulary, ["cat*s", "ox"])
    assert not any(map(mask.permits, ["cat", "category", "dog", "ox"])) and mask.permits("bobcat")


@pytest.mark.parametrize("word", [":\u00b4{", "\uff0a", "caf\u00b4e"])
def test_a_word_that_folds_to_no_word_is_banned_as_it_is(word: str) -> None:
    bans = make_bans([word])
    assert bans is not None and bans.ban(word)
