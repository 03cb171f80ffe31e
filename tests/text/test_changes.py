"""What an edit changed, word by word."""

from __future__ import annotations

import pytest

from pez_core.text.changes import changed_words


@pytest.mark.parametrize(
    ("before", "after", "pieces"),
    [
        ("a red cat", "a blue cat", [("a", "same"), (" red", "gone"), (" blue", "new"),
                                     (" cat", "same")]),
        ("a red cat", "a cat", [("a", "same"), (" red", "gone"), (" cat", "same")]),
        ("a cat", "a big cat", [("a", "same"), (" big", "new"), (" cat", "same")]),
        ("a cat", "a cat", [("a cat", "same")]),
        ("", "cat", [("cat", "new")]),
        ("cat", "", [("cat", "gone")]),
    ],
)  # fmt: skip
def test_changed_words(before: str, after: str, pieces: list[tuple[str, str]]) -> None:
    assert changed_words(before, after) == pieces


@pytest.mark.parametrize("after", ["red cat  a", "  a\nred", "a red cat ", "x", "a a a red red"])
def test_both_texts_can_be_read_from_the_pieces(after: str) -> None:
    before = "a red\ncat a red "
    pieces = changed_words(before, after)
    assert "".join(text for text, kind in pieces if kind != "gone") == after
    without = "".join(text for text, kind in pieces if kind != "new")
    assert without.split() == before.split()
