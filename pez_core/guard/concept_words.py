"""The words that name a concept literally. A search with a guard does not use them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from torch import Tensor

from ..text.bans import words_in
from ..text.bpe import WORD_END
from ..text.vocabulary import Vocabulary

Near = Callable[[Sequence[str]], Tensor]  # N texts → (N, C) bool: which concepts each is near

LEAST_LETTERS = 3  # of a piece of a word: the t of "t-shirt" has no meaning
ENDINGS = ("s", "es", "ed", "ing")
# Words without a meaning of their own. They may be near a concept that the model hardly knows.
FUNCTION_WORDS = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "has", "have", "in", "is", "it",
    "its", "no", "not", "of", "on", "or", "over", "that", "the", "this", "to", "under", "was",
    "with", "without",
})  # fmt: skip


def concept_words(
    concepts: Sequence[str], unknown: Collection[str], vocabulary: Vocabulary, near: Near
) -> dict[str, tuple[str, ...]]:
    """The words of each concept that are near it as texts of one word, and those of their
    inflections in the vocabulary that are near it as well: for "pizza" also "pizzas", for "cats"
    also "cat", but not "catalog". A concept of one word always contains that word. Other concepts
    may have no words.

    unknown: concepts that the model does not know, so that nearness to them has no meaning. All
    their words are returned.
    """
    own = [_content_words(concept) for concept in concepts]
    known = [[] if c in unknown else words for c, words in zip(concepts, own, strict=True)]
    found = _those_near(known, near)
    alone = {vocabulary.symbol(i).removesuffix(WORD_END) for i in vocabulary.standing_alone}
    inflected = [_inflections(words, alone) for words in found]
    both = zip(concepts, own, found, _those_near(inflected, near), strict=True)
    return {
        concept: tuple(dict.fromkeys([*_always(concept, words, unknown), *some, *more]))
        for concept, words, some, more in both
    }


def _always(concept: str, words: list[str], unknown: Collection[str]) -> list[str]:
    """The words of a concept that are included whatever they mean to the model."""
    whole = [concept.lower()] if len(concept.split()) == 1 else []
    return [*whole, *words] if concept in unknown else whole


def _content_words(concept: str) -> list[str]:
    """The words of a concept that have a meaning; all words if none has."""
    words, whole = words_in(concept), concept.lower().split()
    said = [word for word in words if word not in FUNCTION_WORDS]
    return [word for word in said if word in whole or len(word) >= LEAST_LETTERS] or words


def _inflections(words: Sequence[str], vocabulary: Collection[str]) -> list[str]:
    """Other words of the vocabulary that differ from one of `words` by an ending."""
    others = [w + e for w in words for e in ENDINGS]
    others += [w.removesuffix(e) for w in words for e in ENDINGS if w.endswith(e)]
    enough = (w for w in others if len(w) >= LEAST_LETTERS and w in vocabulary)
    return [w for w in dict.fromkeys(enough) if w not in words]


def _those_near(words: list[list[str]], near: Near) -> list[list[str]]:
    """Those words of each concept that are near it. All words are encoded in one call."""
    each = list(dict.fromkeys(word for some in words for word in some))
    if not each:
        return [[] for _ in words]
    rows: list[list[bool]] = near(each).tolist()
    says = dict(zip(each, rows, strict=True))
    return [[word for word in some if says[word][place]] for place, some in enumerate(words)]
