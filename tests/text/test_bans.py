"""Lists of bans: any word can be banned, commas, stars and backslashes too."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pez_core.clip.models import ClipModel
from pez_core.text.bans import escape_ban, split_bans
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
