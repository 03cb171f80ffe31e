"""Banned words: lists of them as a user types them, and whether a text contains one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ..errors import VocabularyError
from .reading import readings, respelt

Pattern = tuple[str, ...]  # the pieces of a word between its stars: "c*t" is ("c", "t")


@dataclass(frozen=True)
class Bans:
    """Banned words in lower case.

    words: those without a star. starred: the others, by their longest piece. A word of a text is
    compared only with the patterns whose longest piece it contains, so that long lists are fast.
    """

    words: frozenset[str]
    starred: Mapping[str, frozenset[Pattern]] = field(hash=False)

    def ban(self, word: str) -> bool:
        """Whether a word in lower case is banned. Every pattern takes time in proportion to the
        word's length."""
        if word in self.words:
            return True
        contained = {word[i : i + n] for n in self._lengths for i in range(len(word) - n + 1)}
        found = [self.starred[piece] for piece in contained if piece in self.starred]
        return any(_matches(word, pattern) for some in found for pattern in some)

    @cached_property
    def _lengths(self) -> frozenset[int]:
        return frozenset(map(len, self.starred))

    def spelt_in(self, text: str) -> bool:
        """Whether any word of a text, with or without the punctuation around it, is banned."""
        return any(map(self.ban, words_in(text)))

    def read_in(self, text: str) -> bool:
        """The same for every reading of a text, see `text.reading`."""
        return any(map(self.spelt_in, readings(text)))

    def __or__(self, other: Bans) -> Bans:
        both = {*self.starred, *other.starred}
        none = frozenset[Pattern]()
        starred = {p: self.starred.get(p, none) | other.starred.get(p, none) for p in both}
        return Bans(self.words | other.words, starred)


def make_bans(ban: Iterable[str]) -> Bans | None:
    """The bans of a list of words, where `*` stands for any letters and `\\*` for a star. Blank
    entries are left out; None without any. A word with look-alike letters is also banned as it
    reads.

    Raises VocabularyError for several words in one ban, and for a star alone.
    """
    words, starred = set[str](), dict[str, set[Pattern]]()
    for given in ban:
        word = given.strip().lower()
        if not word:
            continue
        if not _is_one_word(word):
            raise VocabularyError(
                f"cannot ban {word[:40]!r}: give single words, several of them separated by commas"
            )
        meant = "" if word.isascii() else respelt(word) or ""
        for spelling in {word, meant if _is_one_word(meant) else word}:
            pattern = _pattern(spelling)
            if len(pattern) == 1:
                words.add(pattern[0])
            else:
                starred.setdefault(max(pattern, key=len), set()).add(pattern)
    found = Bans(frozenset(words), {piece: frozenset(some) for piece, some in starred.items()})
    return found if words or starred else None


def _is_one_word(text: str) -> bool:
    return len(text.split()) == 1 and bool(text.strip("*"))


def _pattern(word: str) -> Pattern:
    """The pieces of a word between its stars, unescaped; several stars in a row are one."""
    pieces = [""]
    for run in re.findall(r"\*+|(?:\\.|[^*])+", word):
        if run.startswith("*"):
            pieces.append("")
        else:
            pieces[-1] = re.sub(r"\\(.)", r"\1", run)
    return tuple(pieces)


def _matches(word: str, pattern: Pattern) -> bool:
    """Whether a word matches, with any letters in place of the stars. Each inner piece is looked
    for once, at the first place that is left: if any place is good, the first is."""
    first, *inner, last = pattern
    if len(word) < len(first) + len(last) or not word.startswith(first):
        return False
    at = len(first)
    for piece in inner:
        at = word.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    return at + len(last) <= len(word) and word.endswith(last)


def words_in(text: str) -> list[str]:
    """The words of `text` in lower case, each once, with and without surrounding punctuation and
    digits."""
    lowered = text.lower()
    pieces = (lowered.split(), re.findall(r"\w+", lowered), re.findall(r"[^\W\d_]+", lowered))
    return list(dict.fromkeys(word for words in pieces for word in words))


def split_bans(text: str) -> list[str]:
    """The words of a list of bans, separated by commas or line breaks; `\\,` bans a comma."""
    return [word.strip() for word in re.findall(r"(?:\\.|[^,\n\\])+", text) if word.strip()]


def escape_ban(word: str) -> str:
    """A word escaped for a list of bans, where `,`, `*` and the backslash have a meaning."""
    return re.sub(r"([\\,*])", r"\\\1", word)
