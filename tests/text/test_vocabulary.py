"""Token ids and text over the whole vocabulary, and the masks of what a search may use."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pez_core.errors import VocabularyError
from pez_core.text.line_files import read_lines
from pez_core.text.vocabulary import (
    KINDS,
    TokenMask,
    Vocabulary,
    clip_vocabulary,
    make_mask,
    stands_alone,
)

CLOSED = ("ascii", "words")


@lru_cache
def mask_of(kind: str, *ban: str) -> TokenMask:
    return make_mask(clip_vocabulary(), kind, ban=ban)


def texts(mask: TokenMask) -> set[str]:
    return {clip_vocabulary().token(i).text for i in mask.ids}


def test_a_token_stands_alone_just_when_the_tokeniser_says_so(vocabulary: Vocabulary) -> None:
    """The rule equals brute force: printable lower-case ASCII that ends a word and re-encodes to
    itself, alone, and twice amid other tokens."""
    cat = vocabulary.encode("cat")
    for i in range(vocabulary.size):
        symbol = vocabulary.symbol(i)
        text = symbol.removesuffix("</w>")
        printable = re.fullmatch("[!-~]+", text) is not None and text == text.lower()
        brute = (
            i not in vocabulary.special
            and symbol.endswith("</w>")
            and printable
            and all(map(vocabulary.round_trips, ([i], [*cat, i, i, *cat])))
        )
        assert stands_alone(symbol) == brute, symbol


@pytest.mark.parametrize("kind", CLOSED)
def test_any_sequence_of_a_closed_mask_survives_as_text(kind: str) -> None:
    """Whatever tokens, in whatever order: decode and encode give the same ids."""
    vocabulary, mask = clip_vocabulary(), mask_of(kind)
    assert mask.closed

    @given(st.lists(st.sampled_from(mask.ids), min_size=1, max_size=40))
    def survives(ids: list[int]) -> None:
        assert vocabulary.encode(vocabulary.decode(ids)) == ids

    survives()


@given(
    st.lists(
        st.sampled_from([i for i in mask_of("ascii").ids if len(clip_vocabulary().symbol(i)) < 7]),
        min_size=2,
        max_size=30,
    )
)
def test_short_tokens_and_punctuation_do_not_run_together(ids: list[int]) -> None:
    """Where merging is likeliest: digits, punctuation, contractions and entities side by side."""
    assert clip_vocabulary().round_trips(ids)


@pytest.mark.parametrize("kind", KINDS)
def test_a_mask_is_ascending_without_the_special_tokens(kind: str, vocabulary: Vocabulary) -> None:
    """Start and end are never learned, and ids are distinct and in order."""
    ids = mask_of(kind).ids
    assert list(ids) == sorted(set(ids))
    assert not vocabulary.special.intersection(ids)
    assert ids[0] >= 0 and ids[-1] < vocabulary.size


def test_the_kinds_hold_what_they_say(vocabulary: Vocabulary) -> None:
    """all ⊃ ascii ⊃ words; all is everything else but start and end; words are letters."""
    everything, ascii_ids, words = (set(mask_of(kind).ids) for kind in ("all", "ascii", "words"))
    assert len(everything) == vocabulary.size - 2 == 49406
    assert everything > ascii_ids > words
    assert not mask_of("all").closed
    assert all(re.fullmatch("[a-z]{3,}", text) for text in texts(mask_of("words")))
    assert {"dog", "of"} <= texts(mask_of("ascii")) and "of" not in texts(mask_of("words"))
    assert all("!" <= c <= "~" for text in texts(mask_of("ascii")) for c in text)


def test_a_models_own_words_decide_what_a_word_is(vocabulary: Vocabulary) -> None:
    """Listed words, also short ones. A word of several tokens is not in the mask."""
    mask = make_mask(vocabulary, "words", words=["ox", "dog", "xylographer", "Cat"])
    assert texts(mask) == {"ox", "dog"}
    assert set(make_mask(vocabulary, "ascii", words=["ox"]).ids) == set(mask_of("ascii").ids)


@pytest.mark.parametrize(
    ("ban", "gone", "kept"),
    [
        ("cat", {"cat"}, {"cats", "bobcat", "catering"}),
        ("cat*", {"cat", "cats", "catering"}, {"bobcat", "education"}),
        ("*cat", {"cat", "bobcat"}, {"cats", "education"}),
        ("*cat*", {"cat", "cats", "bobcat", "education"}, {"dog", "act"}),
        (" CAT ", {"cat"}, {"cats"}),
        (".", {"."}, {"cat", "..."}),
        ("c.t", set(), {"cat", "cut"}),
    ],
)
def test_a_banned_pattern_takes_away_what_it_spells(
    ban: str, gone: set[str], kept: set[str], vocabulary: Vocabulary
) -> None:
    """`*` stands for any letters; everything else means itself."""
    mask = make_mask(vocabulary, "ascii", ban=[ban])
    left, removed = texts(mask), {token.text for token in mask.removed}
    assert gone <= removed and not gone & left
    assert kept <= left and not kept & removed
    assert left | removed == texts(mask_of("ascii")) and not left & removed


def test_several_bans_add_up_and_blank_ones_do_nothing(vocabulary: Vocabulary) -> None:
    """Every pattern counts."""
    mask = make_mask(vocabulary, "ascii", ban=["dog", "", "  ", "cat*"])
    assert {"dog", "cat", "cats"} <= {token.text for token in mask.removed}
    assert make_mask(vocabulary, "ascii", ban=["", " "]) == mask_of("ascii")


@pytest.mark.parametrize("ban", ["two words", "*", "**"])
def test_a_ban_that_is_not_a_word_is_refused(ban: str, vocabulary: Vocabulary) -> None:
    """It would ban nothing, or everything."""
    with pytest.raises(VocabularyError, match=f"cannot ban {re.escape(repr(ban))}.*single words"):
        make_mask(vocabulary, ban=[ban])


@pytest.mark.parametrize(
    ("text", "permitted"),
    [
        ("a bobcat on a mat", True),
        ("a cat on a mat", False),
        ("A CAT!", False),
        ("my-cat", False),
        ("(cat)", False),
        ("cat_", False),
        ("2cat", False),
        ("ca t", True),
        ("", True),
    ],
)
def test_whole_texts_are_checked_for_banned_words(text: str, permitted: bool) -> None:
    """With punctuation or digits around the word, in any case; word pieces can spell it."""
    assert mask_of("all", "cat").permits(text) is permitted
    assert mask_of("all").permits(text)


def test_an_allowed_list_is_the_papers_keyword_bank(vocabulary: Vocabulary) -> None:
    """Only tokens of its lines are left. Lines that are not tokens of the kind are reported."""
    lines = ["dog", "red car", "xylographer", "naïve", "🐶", ""]
    mask = make_mask(vocabulary, "words", allow=lines)
    assert texts(mask) == {"dog", "red", "car"}
    assert set(mask.unusable) == {"xylographer", "naïve", "🐶", ""}
    assert list(mask.ids) == sorted(mask.ids)


def test_words_are_the_default_and_with_an_allowed_list_all_that_it_names(
    vocabulary: Vocabulary,
) -> None:
    """A bank of `4` and `;)` is not to be thinned out unasked."""
    assert make_mask(vocabulary) == mask_of("words")
    mask = make_mask(vocabulary, allow=["4", ";)", "dog"])
    assert mask.kind == "ascii" and texts(mask) == {"4", ";)", "dog"}
    assert texts(make_mask(vocabulary, "words", allow=["4", "dog"])) == {"dog"}


def test_an_allowed_word_of_several_pieces_does_not_allow_its_last_piece(
    vocabulary: Vocabulary,
) -> None:
    """ "xylographer" ends in the piece "grapher", which by itself is another word."""
    assert "grapher" in texts(mask_of("ascii"))
    mask = make_mask(vocabulary, allow=["dog xylographer", "owl"])
    assert texts(mask) <= {"dog", "owl"} and mask.unusable == ("dog xylographer",)


def test_a_ban_wins_over_an_allowed_word(vocabulary: Vocabulary) -> None:
    """And only tokens that were allowed count as removed."""
    mask = make_mask(vocabulary, allow=["dog", "cat"], ban=["cat*"])
    assert texts(mask) == {"dog"}
    assert [token.text for token in mask.removed] == ["cat"]


def test_nothing_left_to_learn_from_is_an_error(vocabulary: Vocabulary) -> None:
    """The message counts what went, and says what to do."""
    with pytest.raises(VocabularyError, match="no token is left.*'words'.*allow or keep more"):
        make_mask(vocabulary, "words", allow=[])
    with pytest.raises(VocabularyError, match="1 unusable allowed lines and 1 tokens"):
        make_mask(vocabulary, allow=["dog", "🐶"], ban=["dog"])


def test_an_unknown_kind_is_an_error(vocabulary: Vocabulary) -> None:
    """The message lists the kinds."""
    with pytest.raises(VocabularyError, match="'latin'.*ascii, words, all"):
        make_mask(vocabulary, "latin")


def test_word_lists_are_read_with_comments_and_any_line_ends(tmp_path: Path) -> None:
    """UTF-8 with or without a byte order mark; blank lines and comments are not words."""
    path = tmp_path / "words.txt"
    path.write_bytes("\ufeff# birds\r\nowl\r\n\r\n  great tit \nüber".encode())
    assert read_lines(path, VocabularyError) == ["owl", "great tit", "über"]


def test_a_word_list_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Missing, a folder, not UTF-8, or UTF-16, which holds NUL bytes."""
    latin, wide = tmp_path / "latin.txt", tmp_path / "wide.txt"
    latin.write_bytes("über".encode("latin-1"))
    wide.write_bytes("owl".encode("utf-16-le"))
    for path in (tmp_path / "none.txt", tmp_path, latin, wide):
        with pytest.raises(VocabularyError, match=f"{re.escape(str(path))}.*UTF-8 text file"):
            read_lines(path, VocabularyError)


@pytest.mark.parametrize("text", ["", " \n\n", "# owl\n  # tit"])
def test_a_list_without_a_word_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "words.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(VocabularyError, match=f"{re.escape(str(path))} names no word: write one"):
        read_lines(path, VocabularyError)


def test_tokens_tell_pieces_from_ends_of_words(vocabulary: Vocabulary) -> None:
    """A long word is several tokens, of which the last ends it."""
    tokens = vocabulary.tokens(vocabulary.encode("xylographer"))
    assert len(tokens) > 1
    assert "".join(token.text for token in tokens) == "xylographer"
    assert [token.ends_word for token in tokens] == [False] * (len(tokens) - 1) + [True]
