"""Token ids and text: CLIP's byte-level BPE, and the masks of the tokens that a search may use.

A *closed* mask holds only tokens that stand alone: printed with spaces between them, they tokenise
back to themselves in any order. So every learned sequence of a closed mask survives decoding and
encoding. The rule `stands_alone` decides which tokens do. A test compares it with the tokeniser
over the whole vocabulary.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

from ..errors import VocabularyError
from ..prompt import Token
from .bans import Bans, make_bans
from .bpe import WORD_END, load_byte_pairs
from .reading import clean

KINDS = ("ascii", "words", "all")
# The tokeniser splits text into these pieces before BPE (contractions, letters, single digits,
# punctuation).
_PIECE = re.compile(r"'(?:s|t|re|ve|m|ll|d)|[a-z]+|[0-9]|[^\sa-z0-9]+")
_WORD = re.compile(r"[a-z]{3,}")


class Vocabulary:
    """CLIP's BPE vocabulary of 49,408 tokens. Raises VocabularyError without open_clip's files."""

    def __init__(self) -> None:
        self._pairs = load_byte_pairs()
        self.size = len(self._pairs.symbols)
        self.start, self.end = self.size - 2, self.size - 1
        self.special = frozenset((self.start, self.end))

    def encode(self, text: str) -> list[int]:
        """The ids of `text`, without the start and end tokens, which no text spells. Raises
        TextError for a text that is too long, see `text.reading`."""
        return self._pairs.encode(clean(text))

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`. But: bytes that are not valid UTF-8 become U+FFFD."""
        return self._pairs.decode(ids).strip()

    def round_trips(self, ids: Sequence[int]) -> bool:
        """Whether the text of `ids` tokenises to the same ids."""
        return self.encode(self.decode(ids)) == list(ids)

    def symbol(self, token_id: int) -> str:
        """The token as the BPE file spells it, `</w>` included."""
        return self._pairs.symbols[token_id]

    def token(self, token_id: int) -> Token:
        symbol = self.symbol(token_id)
        return Token(token_id, self.decode([token_id]), symbol.endswith(WORD_END))

    def tokens(self, ids: Iterable[int]) -> list[Token]:
        return [self.token(i) for i in ids]

    @cached_property
    def standing_alone(self) -> tuple[int, ...]:
        """The ids of the tokens that stand alone, ascending."""
        return tuple(i for i in range(self.size) if stands_alone(self.symbol(i)))


@lru_cache(maxsize=1)
def clip_vocabulary() -> Vocabulary:
    """The vocabulary that every CLIP of this package shares; built once, in 0.1 s."""
    return Vocabulary()


def stands_alone(symbol: str) -> bool:
    """Whether a token is a whole piece of printable lower-case ASCII. Such a token tokenises to
    itself."""
    text = symbol.removesuffix(WORD_END)
    if text == symbol or not text or not all("!" <= c <= "~" for c in text):
        return False
    return text == text.lower() and _PIECE.fullmatch(text) is not None


@dataclass(frozen=True)
class TokenMask:
    """The tokens a search may use.

    ids: allowed token ids, ascending.
    kind: the vocabulary that they come from, one of KINDS.
    removed: the tokens that the banned words removed.
    unusable: lines of an allowed list that hold anything other than allowed tokens.
    ban: the banned words, for checks of whole texts: word pieces can spell a banned word.
    """

    ids: tuple[int, ...]
    kind: str
    removed: tuple[Token, ...] = ()
    unusable: tuple[str, ...] = ()
    ban: Bans | None = None

    @property
    def closed(self) -> bool:
        """Whether every sequence of its tokens survives decode → encode."""
        return self.kind != "all"

    def permits(self, text: str) -> bool:
        """Whether `text` contains no banned word in any of its readings, see `text.reading`."""
        return self.ban is None or not self.ban.read_in(text)

    @property
    def settings(self) -> dict[str, Any]:
        """The entries of a result's `settings` that describe the mask."""
        digest = hashlib.sha256(",".join(map(str, self.ids)).encode()).hexdigest()
        return {
            "vocabulary": self.kind,
            "vocabulary_size": len(self.ids),
            "vocabulary_digest": digest[:16],  # two lists of allowed words may have the same size
            "banned_tokens": [token.text for token in self.removed],
        }

    def within(self, vocabulary: Vocabulary, allow: Iterable[str]) -> TokenMask:
        """The mask of those tokens that occur in the lines of `allow`, with `make_mask`'s rules and
        errors."""
        ids, unusable = _within(vocabulary, list(self.ids), allow)
        return replace(self, ids=tuple(ids), unusable=tuple(unusable))._with_some()

    def less(self, vocabulary: Vocabulary, ban: Sequence[str]) -> TokenMask:
        """The mask without further words, with `make_mask`'s rules and errors."""
        bans = make_bans(ban)
        gone = [t for t in vocabulary.tokens(self.ids) if bans.spelt_in(t.text)] if bans else []
        removed = (*self.removed, *gone)
        left = tuple(sorted(set(self.ids) - {token.id for token in gone}))
        if bans and self.ban:
            bans = self.ban | bans
        return replace(self, ids=left, removed=removed, ban=bans or self.ban)._with_some()

    def _with_some(self) -> TokenMask:
        if not self.ids:
            raise VocabularyError(
                f"no token is left of the vocabulary {self.kind!r} with {len(self.unusable)} "
                f"unusable allowed lines and {len(self.removed)} tokens banned or avoided: allow "
                "or keep more words"
            )
        return self


def make_mask(
    vocabulary: Vocabulary,
    kind: str | None = None,
    *,
    ban: Sequence[str] = (),
    allow: Iterable[str] | None = None,
    words: Iterable[str] | None = None,
) -> TokenMask:
    """The mask of one kind, restricted to the allowed words and without the banned words.

    kind: "ascii": tokens that stand alone as printable lower-case ASCII; the default with `allow`.
      "words": the words among these: those in `words`, or else all of at least three letters; the
      default without `allow`.
      "all": every token except start and end, including word pieces and incomplete UTF-8; not
      closed.
    ban: words, where `*` stands for any letters: "cat" removes only cat, "cat*" also cats.
    allow: the paper's keyword bank: only the tokens of these lines. A line may hold several words.
    words: the words that the model is known to have learned.
    Raises VocabularyError for an unknown kind, for several words in one ban, and when no token is
    left.
    """
    kind = kind or ("words" if allow is None else "ascii")
    mask = TokenMask(tuple(_ids_of_kind(vocabulary, kind, words)), kind)
    if allow is not None:
        mask = mask.within(vocabulary, allow)
    return mask.less(vocabulary, ban)


def _ids_of_kind(vocabulary: Vocabulary, kind: str, words: Iterable[str] | None) -> list[int]:
    if kind not in KINDS:
        raise VocabularyError(f"unknown vocabulary {kind[:60]!r}: choose one of {', '.join(KINDS)}")
    if kind == "all":
        return [i for i in range(vocabulary.size) if i not in vocabulary.special]
    alone = list(vocabulary.standing_alone)
    if kind == "ascii":
        return alone
    listed = None if words is None else set(words)

    def is_word(text: str) -> bool:
        return text in listed if listed is not None else _WORD.fullmatch(text) is not None

    return [i for i in alone if is_word(vocabulary.symbol(i).removesuffix(WORD_END))]


def _within(
    vocabulary: Vocabulary, ids: list[int], allow: Iterable[str]
) -> tuple[list[int], list[str]]:
    pool, usable, unusable = set(ids), set[int](), list[str]()
    for line in allow:
        words = [vocabulary.encode(word) for word in line.split()]
        known = [ids for ids in words if pool.issuperset(ids)]
        usable.update(i for ids in known for i in ids)
        if not words or len(known) < len(words):
            unusable.append(line)
    return [i for i in ids if i in usable], unusable
