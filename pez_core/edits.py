"""A prompt taken apart into words, and what a user has done to them: locked, banned, replaced.

The edits are plain JSON, made by the Token Viewer and saved with a workflow. From words and edits
follow the edited text, a template in which the locked words stand fast, and the list of bans. The
front end has the same rules in JavaScript; `tests/fixtures/edits.json` holds both to them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .errors import EditsError
from .prompt import SCHEMA
from .vocabulary import WORD_END, Vocabulary

_CLOSING = (",", ".", ";", ":", "!", "?")  # may stand right behind a slot, see `template`


@dataclass(frozen=True)
class Word:
    """A piece of a text that the tokeniser splits off; `before` is the white space before it."""

    before: str
    text: str
    ids: tuple[int, ...]


def split_words(text: str, vocabulary: Vocabulary) -> list[Word]:
    """The words of a text, as written where the tokeniser sees them so.

    Joined they give the text back. But: characters that the tokeniser mends (curly quotes, HTML)
    come out mended.
    """
    words: list[Word] = []
    at = 0
    for ids in _pieces(vocabulary.encode(text), vocabulary):
        piece = vocabulary.decode(ids)
        start = at + len(text[at:]) - len(text[at:].lstrip())
        end = start + len(piece)
        if text[start:end].lower() == piece:
            words.append(Word(text[at:start] if words else "", text[start:end], ids))
            at = end
        else:
            words.append(Word(" " if words else "", piece, ids))
            found = text.lower().find(piece, start)
            at = at if found < 0 else found + len(piece)
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
    """What was done to the words of `source`; locked and replaced by their index, bans by text."""

    source: str = ""
    locked: frozenset[int] = frozenset()
    banned: tuple[str, ...] = ()
    replaced: Mapping[int, str] = field(default_factory=dict)

    def of(self, source: str) -> Edits:
        """These edits for a text: of another one than they were made for only the bans are left."""
        if source == self.source:
            return self
        return Edits(source, banned=self.banned)

    def bans(self, word: Word) -> bool:
        return word.text.lower() in self.banned

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "source": self.source,
            "locked": sorted(self.locked),
            "banned": list(self.banned),
            "replaced": {str(index): text for index, text in sorted(self.replaced.items())},
        }


def parse_edits(text: str) -> Edits:
    """The edits of their JSON text; "" is none. Raises EditsError for anything else."""
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
            replaced={int(index): str(new) for index, new in data.get("replaced", {}).items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EditsError(
            f"the edits {text[:60]!r} cannot be read ({error!r}): reset them, or give "
            '{"schema": 1, "source": …, "locked": [], "banned": [], "replaced": {}}'
        ) from error


def edited_text(words: Sequence[Word], edits: Edits) -> str:
    """The text with replaced words replaced and banned ones left out."""
    text = ""
    for index, word in enumerate(words):
        if not edits.bans(word):
            text += (word.before if text else "") + edits.replaced.get(index, word.text)
    return text


def template(words: Sequence[Word], edits: Edits) -> str:
    """Locked words as text, every run of others as a slot of as many tokens: `"{3} melon {4}"`."""
    text, slot = "", 0
    for index, word in enumerate(words):
        if index not in edits.locked or edits.bans(word):
            slot += len(word.ids)
            continue
        fixed = edits.replaced.get(index, word.text).replace("{", "{{").replace("}", "}}")
        if slot:
            text = f"{text} {{{slot}}}".lstrip()
            attached = not word.before and fixed in _CLOSING
            text, slot = text + ("" if attached else " ") + fixed, 0
        else:
            text += (word.before if text else "") + fixed
    return f"{text} {{{slot}}}".lstrip() if slot else text
