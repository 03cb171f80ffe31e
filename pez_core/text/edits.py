"""A prompt split into words, and a user's edits of them: locked, banned or replaced.

The edits are plain JSON. The Token Viewer makes them, and a workflow saves them. Words and edits
together give the edited text, a template that keeps the locked words, and the list of bans. The
front end implements the same rules in JavaScript; `tests/fixtures/edits.json` tests both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import EditsError
from ..prompt import SCHEMA
from .bpe import WORD_END
from .template import CLOSING
from .vocabulary import Vocabulary

_INK = re.compile(r"\S")


@dataclass(frozen=True)
class Word:
    """A piece of a text that the tokeniser splits off. `before` is the white space before it.
    Without ids it is the name of an embedding: it is passed on, and CLIP does not read it."""

    before: str
    text: str
    ids: tuple[int, ...]


def split_words(text: str, vocabulary: Vocabulary) -> list[Word]:
    """The words of a text, spelt as in the text where the tokeniser keeps its characters.

    Joined they give the text back. But: characters that the tokeniser normalises (curly quotes,
    HTML) come out normalised.
    """
    words: list[Word] = []
    lowered = text.lower()
    at = 0
    for ids in _pieces(vocabulary.encode(text), vocabulary):
        piece = vocabulary.decode(ids)
        found = _INK.search(text, at)
        start = found.start() if found else len(text)
        end = start + len(piece)
        if text[start:end].lower() == piece:
            words.append(Word(text[at:start] if words else "", text[start:end], ids))
            at = end
        else:
            words.append(Word(" " if words else "", piece, ids))
            place = lowered.find(piece, start)
            at = at if place < 0 else place + len(piece)
    return words


def _pieces(ids: Sequence[int], vocabulary: Vocabulary) -> list[tuple[int, ...]]:
    pieces: list[tuple[int, ...]] = []
    piece: list[int] = []
    for token_id in ids:
        piece.append(token_id)
        if vocabulary.symbol(token_id).endswith(WORD_END):
            pieces.append(tuple(piece))
            piece = []
    return [*pieces, tuple(piece)] if piece else pieces


@dataclass(frozen=True)
class Edits:
    """The edits of the words of `source`: locked and replaced words by index, banned words by
    text."""

    source: str = ""
    locked: frozenset[int] = frozenset()
    banned: tuple[str, ...] = ()
    replaced: Mapping[int, str] = field(default_factory=dict)

    def of(self, source: str) -> Edits:
        """These edits for a text. For another text than `source` only the bans remain."""
        if source == self.source:
            return self
        return Edits(source, banned=self.banned)

    def bans(self, word: Word) -> bool:
        return word.text.lower() in self.banned

    def reads(self, index: int, word: Word) -> bool:
        """Whether CLIP reads a word after the edits: it is not the name of an embedding, or has
        been replaced."""
        return bool(word.ids) or index in self.replaced

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "source": self.source,
            "locked": sorted(self.locked),
            "banned": list(self.banned),
            "replaced": {str(index): text for index, text in sorted(self.replaced.items())},
        }


def parse_edits(text: str) -> Edits:
    """The edits of a JSON text; "" means no edits. Raises EditsError for anything else."""
    if not text.strip():
        return Edits()
    try:
        data = json.loads(text)
        if data["schema"] != SCHEMA:
            raise ValueError(f"schema {data['schema']!r}")
        return Edits(
            source=str(data["source"]),
            locked=frozenset(int(index) for index in data.get("locked", [])),
            banned=tuple(dict.fromkeys(str(word).lower() for word in data.get("banned", []))),
            replaced={int(i): str(new) for i, new in data.get("replaced", {}).items() if new},
        )
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise EditsError(
            f"the edits {text[:60]!r} cannot be read ({error!r}): reset them, or give "
            '{"schema": 1, "source": …, "locked": [], "banned": [], "replaced": {}}'
        ) from error


def edited_text(words: Sequence[Word], edits: Edits) -> str:
    """The text after its edits: replaced words are replaced, banned words are left out."""
    return "".join(piece for _, piece in edited_words(words, edits))


def edited_words(
    words: Sequence[Word], edits: Edits, without: int | None = None
) -> list[tuple[int, str]]:
    """The same word by word: the index of each kept word, and its text with the white space before
    it. without: the index of a word that is left out as well."""
    kept = [i for i, word in enumerate(words) if i != without and not edits.bans(word)]
    new = [index in edits.replaced for index in kept]
    texts = [edits.replaced.get(index, words[index].text) for index in kept]
    pieces = zip(kept, [words[index].before for index in kept], texts, new, strict=True)
    return list(zip(kept, join(pieces), strict=True))


def join(pieces: Iterable[tuple[int, str, str, bool]]) -> list[str]:
    """Each word's text with the white space before it. pieces: (index, white space before, text,
    whether the word is new).

    A space separates words that were not neighbours before, so that they stay separate words: "two
    (striped) cats" without "(" becomes "two striped) cats".
    """
    joined: list[str] = []
    last, last_new = -1, False
    for place, before, piece, new in pieces:
        as_it_stood = place == last + 1 and not (new or last_new)
        joined.append((gap(before, piece, joined[-1], as_it_stood) if joined else "") + piece)
        last, last_new = place, new
    return joined


def spliced(words: Sequence[Word], first: int, last: int, new: str | None = None) -> str:
    """The text with a new word, or nothing, in the place of words[first:last]."""
    pieces = [(index, word.before, word.text, False) for index, word in enumerate(words)]
    before = words[first].before if first < last else " "
    middle = [] if new is None else [(first, before, new, True)]
    return "".join(join([*pieces[:first], *middle, *pieces[last:]]))


def gap(before: str, piece: str, text: str, as_it_stood: bool) -> str:
    """The white space between a text and the next piece, which may have a new neighbour."""
    attached = as_it_stood or (piece in CLOSING and text[-1].isalnum())
    return before or ("" if attached else " ")


def template(words: Sequence[Word], edits: Edits) -> str:
    """The template of locked words as text and every run of other words as a slot of as many
    tokens, such as `"{3} melon {4}"`."""
    text, slot, last_new = "", 0, False
    for index, word in enumerate(words):
        if index not in edits.locked or edits.bans(word) or not edits.reads(index, word):
            slot += len(word.ids)
            continue
        new = index in edits.replaced
        fixed = edits.replaced.get(index, word.text).replace("{", "{{").replace("}", "}}")
        if slot:
            attached = not word.before and fixed in CLOSING
            text = f"{text} {{{slot}}}".lstrip() + ("" if attached else " ") + fixed
        else:
            text += (gap(word.before, fixed, text, not (new or last_new)) if text else "") + fixed
        slot, last_new = 0, new
    return f"{text} {{{slot}}}".lstrip() if slot else text
