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
from ..hub.open_clip_files import part
from ..prompt import Token

KINDS = ("ascii", "words", "all")
WORD_END = "</w>"
# The tokeniser splits text into these pieces before BPE (contractions, letters, single digits,
# punctuation).
_PIECE = re.compile(r"'(?:s|t|re|ve|m|ll|d)|[a-z]+|[0-9]|[^\sa-z0-9]+")
_WORD = re.compile(r"[a-z]{3,}")


class Vocabulary:
    """CLIP's BPE vocabulary of 49,408 tokens, from open_clip's tokeniser."""

    def __init__(self) -> None:
        self._tokenizer: Any = part("tokenizer").SimpleTokenizer()
        self.start: int = self._tokenizer.sot_token_id
        self.end: int = self._tokenizer.eot_token_id
        self.size: int = self._tokenizer.vocab_size
        self.special = frozenset((self.start, self.end))

    def encode(self, text: str) -> list[int]:
        """The ids of `text`, without the start and end tokens."""
        ids: list[int] = self._tokenizer.encode(text)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`. But: bytes that are not valid UTF-8 become U+FFFD."""
        text: str = self._tokenizer.decode(list(ids))
        return text.strip()

    def round_trips(self, ids: Sequence[int]) -> bool:
        """Whether the text of `ids` tokenises to the same ids."""
        return self.encode(self.decode(ids)) == list(ids)

    def symbol(self, token_id: int) -> str:
        """The token as the BPE file spells it, `</w>` included."""
        symbol: str = self._tokenizer.decoder[token_id]
        return symbol

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
    """The vocabulary that every CLIP of this package shares; built once (0.1 s)."""
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
    ban: the pattern of the banned words, for checks of whole texts: word pieces can spell a banned
    word.
    """

    ids: tuple[int, ...]
    kind: str
    removed: tuple[Token, ...] = ()
    unusable: tuple[str, ...] = ()
    ban: re.Pattern[str] | None = None

    @property
    def closed(self) -> bool:
        """Whether every sequence of its tokens survives decode → encode."""
        return self.kind != "all"

    def permits(self, text: str) -> bool:
        """Whether `text` contains no banned word."""
        return not _holds_banned(text, self.ban)

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
        pattern = _ban_pattern(ban)
        gone: list[Token] = []
        if pattern:
            gone = [t for t in vocabulary.tokens(self.ids) if _holds_banned(t.text, pattern)]
        removed = (*self.removed, *gone)
        left = tuple(sorted(set(self.ids) - {token.id for token in gone}))
        if pattern and self.ban:
            pattern = re.compile(f"{self.ban.pattern}|{pattern.pattern}")
        return replace(self, ids=left, removed=removed, ban=pattern or self.ban)._with_some()

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
        raise VocabularyError(f"unknown vocabulary {kind!r}: choose one of {', '.join(KINDS)}")
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


def split_bans(text: str) -> list[str]:
    """The words of a list of bans, separated by commas or line breaks; `\\,` bans a comma."""
    return [word.strip() for word in re.findall(r"(?:\\.|[^,\n\\])+", text) if word.strip()]


def escape_ban(word: str) -> str:
    """A word escaped for a list of bans, where `,`, `*` and the backslash have a meaning."""
    return re.sub(r"([\\,*])", r"\\\1", word)


def _ban_pattern(ban: Sequence[str]) -> re.Pattern[str] | None:
    """One pattern for all banned words; `*` matches any characters of a word, `\\*` a star."""
    words = [b.strip().lower() for b in ban if b.strip()]
    for word in words:
        if len(word.split()) > 1 or not word.strip("*"):
            raise VocabularyError(
                f"cannot ban {word!r}: give single words, several of them separated by commas"
            )
    if not words:
        return None
    return re.compile("|".join(_word_pattern(word) for word in words))


def _word_pattern(word: str) -> str:
    parts = re.findall(r"\\.|.", word)
    return "".join(r"\S*" if part == "*" else re.escape(part[-1]) for part in parts)


def _holds_banned(text: str, pattern: re.Pattern[str] | None) -> bool:
    """Whether any word of `text`, with or without the punctuation around it, is banned."""
    if pattern is None:
        return False
    return any(pattern.fullmatch(word) for word in words_in(text))


def words_in(text: str) -> list[str]:
    """The words of `text` in lower case, each once, with and without surrounding punctuation and
    digits."""
    lowered = text.lower()
    pieces = (lowered.split(), re.findall(r"\w+", lowered), re.findall(r"[^\W\d_]+", lowered))
    return list(dict.fromkeys(word for words in pieces for word in words))
