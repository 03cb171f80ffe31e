"""The tokeniser is open_clip's, without torch and without marks that end a text."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from open_clip.tokenizer import SimpleTokenizer

from pez_core.errors import TextError, VocabularyError
from pez_core.hub import open_clip_files
from pez_core.text.reading import LONGEST, MARK, clean
from pez_core.text.vocabulary import Vocabulary, clip_vocabulary

THEIRS = SimpleTokenizer()
OURS = clip_vocabulary()
MARKS = ["<start_of_text>", "<end_of_text>", "<|startoftext|>", "<|endoftext|>", "<END_OF_TEXT>"]


def same(text: str) -> None:
    ids = THEIRS.encode(text)
    assert OURS.encode(text) == ids
    assert OURS.decode(ids) == THEIRS.decode(ids).strip()


def test_every_token_has_their_symbol_and_their_text() -> None:
    assert (OURS.size, OURS.start, OURS.end) == (49408, 49406, 49407)
    assert (OURS.start, OURS.end) == (THEIRS.sot_token_id, THEIRS.eot_token_id)
    for number in range(OURS.size):
        assert OURS.symbol(number) == THEIRS.decoder[number]
        assert OURS.decode([number]) == THEIRS.decode([number]).strip()


def test_every_token_is_encoded_as_theirs_next_to_any_other() -> None:
    chance = random.Random(0)
    symbols = [THEIRS.decode([number]) for number in range(OURS.size - 2)]
    chance.shuffle(symbols)
    for place in range(0, len(symbols), 8):
        same("".join(symbols[place : place + 8]))


def test_captions_are_encoded_as_theirs(root: Path) -> None:
    captions = (root / "tests" / "fixtures" / "captions.txt").read_text(encoding="utf-8")
    neutral = (root / "pez_core" / "demo_model" / "neutral.txt").read_text(encoding="utf-8")
    for line in [*captions.splitlines(), *neutral.splitlines()]:
        same(line)


@given(st.text(max_size=40))
@example("it's 12 o'clock, ＡＢ ﬁne &amp;lt; caf\u00e9 cafe\u0301 \u2028 \x00 \x1b[31m \U0001f600")
@example("\u0130\u0149ſ &copy &#0; &#xD800; \ufeff\u00ad\u200b")
def test_any_text_without_a_mark_is_encoded_as_theirs(text: str) -> None:
    assume(not MARK.search(clean(text)))
    same(text)


@given(st.text("ab'.☺", min_size=1, max_size=300))
def test_long_words_are_merged_in_their_order(text: str) -> None:
    same(text)


@pytest.mark.parametrize("mark", [*MARKS, "&lt;end_of_text&gt;", "＜end_of_text＞"])
def test_a_mark_is_spelt_out(mark: str) -> None:
    """Nothing that a user writes becomes the start or the end, and all that follows is read."""
    ids = OURS.encode(f"a {mark} cat")
    assert not OURS.special.intersection(ids)
    assert ids[-1:] == OURS.encode("cat") and OURS.decode(ids) != OURS.decode(ids[:2])


def test_bytes_that_are_not_utf8_are_one_sign() -> None:
    assert OURS.encode("a \udcff cat") == OURS.encode("a \ufffd cat")


def test_a_text_has_a_length_that_can_be_read() -> None:
    assert len(OURS.encode("cat " * (LONGEST // 4))) == LONGEST // 4
    with pytest.raises(TextError, match=r"'x{40}'… has 200,001 characters: give one of at most"):
        OURS.encode("x" * (LONGEST + 1))


def test_it_needs_neither_torch_nor_open_clip() -> None:
    code = (
        "import sys; from pez_core.text.vocabulary import clip_vocabulary;"
        "clip_vocabulary().encode('a café');"
        "print(sorted({'torch', 'open_clip', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_the_file_of_merges_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_clip_files, "__path__", [])
    with pytest.raises(VocabularyError, match=r"bpe_simple_vocab.* is missing.*open_clip_torch"):
        Vocabulary()
