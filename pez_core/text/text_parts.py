"""Texts longer than the 75 tokens that CLIP reads, split into parts that it can read."""

from __future__ import annotations

from collections.abc import Iterator

from .reading import require_length
from .template import MOST_TOKENS
from .vocabulary import Vocabulary

# More characters than this for each token are certainly too many, so that long words are halved
# before they are encoded. The vocabulary has longer tokens only of repeated signs.
MOST_LETTERS = 16


def text_parts(text: str, vocabulary: Vocabulary, most: int = MOST_TOKENS) -> list[str]:
    """The parts of a text, of at most `most` tokens each. Every word occurs once, in order and
    whole.

    But: a word with more tokens than that is split into halves until they fit.
    Raises TextError for a text that is too long, see `text.reading`.
    """
    require_length(text)
    parts: list[list[str]] = [[]]
    room = most
    for word in text.split():
        for piece, length in _pieces(word, vocabulary, most):
            if length > room:
                parts.append([])
                room = most
            parts[-1].append(piece)
            room -= length
    return [" ".join(part) for part in parts if part]


def _pieces(word: str, vocabulary: Vocabulary, most: int) -> Iterator[tuple[str, int]]:
    """The pieces of a word with their numbers of tokens."""
    if len(word) <= MOST_LETTERS * most:
        length = len(vocabulary.encode(word))
        if length <= most or len(word) < 2:
            yield word, length
            return
    half = len(word) // 2
    yield from _pieces(word[:half], vocabulary, most)
    yield from _pieces(word[half:], vocabulary, most)


def text_length(text: str, vocabulary: Vocabulary) -> int:
    """The number of tokens of a text, summed over its parts."""
    return sum(len(vocabulary.encode(part)) for part in text_parts(text, vocabulary))
