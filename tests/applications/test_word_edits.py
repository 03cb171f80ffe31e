"""Edits of one word: what is proposed, and what stays."""

from __future__ import annotations

import pytest
import torch

from pez_core import ClipModel, Targets, make_mask, make_targets
from pez_core.applications.word_edits import OF_EACH_KIND, borrowed_edits, edits_by_clip
from pez_core.text.vocabulary import TokenMask

TEXT = "a red Apple, on a table"


@pytest.fixture(scope="module")
def mask(demo: ClipModel) -> TokenMask:
    return make_mask(demo.vocabulary, words=demo.source.words, ban=["fruit*"])


@pytest.fixture(scope="module")
def targets(demo: ClipModel) -> Targets:
    return make_targets(demo.encode_texts(["a slice of green watermelon"]))


def distance(one: list[str], other: list[str]) -> int:
    """How many words are swapped, added or left out."""
    row = list(range(len(other) + 1))
    for i, word in enumerate(one, 1):
        above, row = row, [i]
        for j, second in enumerate(other, 1):
            row.append(min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (word != second)))
    return row[-1]


def pieces(text: str) -> list[str]:
    return text.replace(",", " ,").split()


def test_every_edit_is_of_one_word(demo: ClipModel, targets: Targets, mask: TokenMask) -> None:
    found = edits_by_clip(demo, TEXT, targets, mask)
    assert len(set(found)) == len(found) > 2 * OF_EACH_KIND
    sizes = {len(pieces(text)) - len(pieces(TEXT)) for text in found}
    assert sizes == {-1, 0, 1}
    for text in found:
        assert distance(pieces(TEXT), pieces(text)) == 1, text
        assert not mask.ban or not mask.ban.read_in(text)


def test_the_edits_are_clips_best(demo: ClipModel, targets: Targets, mask: TokenMask) -> None:
    """The first swap is more similar than the text, and no sampled swap is far above it."""
    first = edits_by_clip(demo, TEXT, targets, mask)[0]
    score = {text: demo.score([text], targets).item() for text in (first, TEXT)}
    assert score[first] > score[TEXT]
    words = pieces(TEXT)
    ids = mask.ids[:: len(mask.ids) // 50]
    others = [
        " ".join([*words[:i], demo.vocabulary.decode([token]), *words[i + 1 :]])
        for i in range(len(words)) for token in ids
    ]  # fmt: skip
    assert score[first] > demo.score(others, targets).max().item() - 0.02


def test_words_that_are_kept(demo: ClipModel, targets: Targets, mask: TokenMask) -> None:
    kept = {"a", "red", "apple", ","}
    found = edits_by_clip(demo, TEXT, targets, mask, kept=kept)
    found += borrowed_edits(TEXT, ["a green pear"], torch.Generator(), kept={*kept, "apple,"})
    assert len(found) > OF_EACH_KIND
    for text in found:
        assert text.startswith("a red Apple,"), text
    assert edits_by_clip(demo, "red", targets, mask, kept={"red"}) == []


def test_borrowed_words_come_from_the_other_prompts() -> None:
    others = ["a green pear", "two pears"]
    found = borrowed_edits(TEXT, others, torch.Generator().manual_seed(1))
    again = borrowed_edits(TEXT, others, torch.Generator().manual_seed(1))
    assert found == again
    known = {*TEXT.split(), *" ".join(others).split()}
    for text in found:
        assert distance(TEXT.split(), text.split()) == 1
        assert {*text.split()} <= known
    assert borrowed_edits("one", [], torch.Generator()) == []


def test_an_empty_text_can_only_grow(demo: ClipModel, targets: Targets, mask: TokenMask) -> None:
    found = edits_by_clip(demo, "", targets, mask)
    assert found and all(len(text.split()) == 1 for text in found)
    assert borrowed_edits("", ["red pear"], torch.Generator().manual_seed(1)) == ["red", "pear"]
