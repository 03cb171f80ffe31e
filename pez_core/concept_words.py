"""The words that say a concept outright: with a guard a search does not use them either."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from .vocabulary import WORD_END, Vocabulary, words_in

Near = Callable[[Sequence[str]], Tensor]  # N texts → (N, C) bool, which concepts each is near

LEAST_LETTERS = 3  # that words which begin alike share
# They say nothing alone, but where a model knows little of a concept they may lie near it.
FUNCTION_WORDS = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "has", "have", "in", "is", "it",
    "its", "no", "not", "of", "on", "or", "over", "that", "the", "this", "to", "under", "was",
    "with", "without",
})  # fmt: skip


def concept_words(
    concepts: Sequence[str], vocabulary: Vocabulary, near: Near
) -> dict[str, tuple[str, ...]]:
    """The words of each concept that are near it as a text of one word, and the vocabulary's words
    that begin alike, one with all of the other, and are near as well: for "pizza" also "pizzas",
    for "cats" also "cat", but no "catalog". Of a concept of one word that word is always there; of
    others there may be none.
    """
    own = [_content_words(concept) for concept in concepts]
    found = _those_near(own, near)
    for place, concept in enumerate(concepts):
        if len(concept.split()) == 1:
            found[place] = list(dict.fromkeys([concept.lower(), *found[place]]))
    alike = [_beginning_alike(words, vocabulary) for words in found]
    both = zip(found, _those_near(alike, near), strict=True)
    return {c: (*some, *more) for c, (some, more) in zip(concepts, both, strict=True)}


def _beginning_alike(words: Sequence[str], vocabulary: Vocabulary) -> list[str]:
    """The vocabulary's words that begin with one of these, or one of these with them."""
    starts = {word[:LEAST_LETTERS] for word in words if len(word) >= LEAST_LETTERS}
    alone = (vocabulary.symbol(i).removesuffix(WORD_END) for i in vocabulary.standing_alone)
    near_by = [word for word in alone if word[:LEAST_LETTERS] in starts and word not in words]
    return [w for w in near_by if any(w.startswith(o) or o.startswith(w) for o in words)]


def _content_words(concept: str) -> list[str]:
    return [word for word in words_in(concept) if word not in FUNCTION_WORDS]


def _those_near(words: list[list[str]], near: Near) -> list[list[str]]:
    """Of the words of each concept those that are near it, encoded all at once."""
    each = list(dict.fromkeys(word for some in words for word in some))
    if not each:
        return [[] for _ in words]
    rows: list[list[bool]] = near(each).tolist()
    says = dict(zip(each, rows, strict=True))
    return [[word for word in some if says[word][place]] for place, some in enumerate(words)]
