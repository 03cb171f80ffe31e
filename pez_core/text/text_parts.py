"""Texts longer than the 75 tokens that CLIP reads, split into parts that it can read."""

from __future__ import annotations

from .template import MOST_TOKENS
from .vocabulary import Vocabulary


def text_parts(text: str, vocabulary: Vocabulary, most: int = MOST_TOKENS) -> list[str]:
    """The parts of a text, of at most `most` tokens each. Every word occurs once, in order and
    whole.

    But: a word with more tokens than that is split into halves until they fit.
    """
    parts: list[list[str]] = [[]]
    room = most
    for word in text.split():
        for piece in _pieces(word, vocabulary, most):
            length = len(vocabulary.encode(piece))
            if length > room:
                parts.append([])
                room = most
            parts[-1].append(piece)
            room -= length
    return [" ".join(part) for part in parts if part]


def _pieces(word: str, vocabulary: Vocabulary, most: int) -> list[str]:
    if len(vocabulary.encode(word)) <= most or len(word) < 2:
        return [word]
    half = len(word) // 2
    return _pieces(word[:half], vocabulary, most) + _pieces(word[half:], vocabulary, most)


def text_length(text: str, vocabulary: Vocabulary) -> int:
    """The number of tokens of a text, summed over its parts."""
    return sum(len(vocabulary.encode(part)) for part in text_parts(text, vocabulary))
