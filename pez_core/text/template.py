"""Prompt templates: fixed words with slots, as in `"a photo of {8} by {4}"`.

A slot `{8}` holds 8 learned tokens. The fixed words are locked: every score includes them, but a
search never changes them. `{{` and `}}` are plain braces.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import ConfigError, TemplateError
from .reading import valid
from .vocabulary import Vocabulary

CONTEXT = 77  # positions of every CLIP text encoder, including start and end
MOST_TOKENS = CONTEXT - 2  # of a text
_PART = re.compile(r"\{\{|\}\}|\{(\d+)\}|[{}]|[^{}]+")
CLOSING = frozenset(",.;:!?")  # may follow a slot without a space
# What ComfyUI reads in a prompt as something other than words: its tokeniser's start and end, after
# which it reads nothing, and the name of an embedding. What is learned next to them would not be
# scored as ComfyUI reads it. <start_of_text> and <end_of_text> are words to it, and so to us.
_NOT_WORDS = re.compile(r"<\|startoftext\|>|<\|endoftext\|>|embedding:\S*")


@dataclass(frozen=True)
class Fixed:
    """Literal text between the slots, as the user wrote it, and its ids."""

    text: str
    ids: tuple[int, ...]


@dataclass(frozen=True)
class Slot:
    """A run of `size` learned tokens."""

    size: int


@dataclass(frozen=True)
class Template:
    """A parsed template. `layout` is the whole sequence with -1 where a token is learned."""

    parts: tuple[Fixed | Slot, ...]
    layout: tuple[int, ...]  # start, tokens, end
    text: str

    @property
    def learned(self) -> int:
        """The number of learned tokens."""
        return sum(part.size for part in self.parts if isinstance(part, Slot))

    def fill(self, learned_ids: Sequence[int]) -> list[int]:
        """The ids between start and end, with the learned ids in the slots."""
        learned = iter(learned_ids)
        return [next(learned) if i < 0 else i for i in self.layout[1:-1]]

    def render(self, learned_ids: Sequence[int], vocabulary: Vocabulary) -> str:
        """The prompt's text: fixed words as written, learned tokens separated by spaces.

        A slot is a separate word, so it has a space on both sides. Only punctuation that directly
        follows a slot in the template stays attached to the learned word.
        """
        learned, text = list(learned_ids), ""
        for part in self.parts:
            if isinstance(part, Slot):
                piece, learned = vocabulary.decode(learned[: part.size]), learned[part.size :]
            else:
                piece = part.text
            attached = isinstance(part, Fixed) and piece[:1] in CLOSING and text[-1:].isalnum()
            text = text + piece if attached else f"{text.rstrip()} {piece.lstrip()}"
        return text.strip()


def plain_template(tokens: int) -> str:
    """The template of learned tokens alone, such as `{8}`. Raises ConfigError for a number out of
    range."""
    if not 1 <= tokens <= MOST_TOKENS:
        raise ConfigError(f"tokens must be between 1 and {MOST_TOKENS}, got {tokens}")
    return f"{{{tokens}}}"


def parse_template(text: str, vocabulary: Vocabulary) -> Template:
    """The template of `text`.

    Raises TemplateError without a slot, for an empty slot, for a stray brace, for fixed text that
    ComfyUI would not read as words, and when fixed and learned tokens together exceed the 75 tokens
    of CLIP's context.
    """
    text = valid(text)
    parts = tuple(_parts(text, vocabulary))
    if not any(isinstance(part, Slot) for part in parts):
        raise TemplateError(
            f"the template {text!r} has no slot: write {{8}} where 8 tokens should be learned"
        )
    layout = [vocabulary.start]
    for part in parts:
        layout += [-1] * part.size if isinstance(part, Slot) else list(part.ids)
    layout.append(vocabulary.end)
    if len(layout) > CONTEXT:
        raise TemplateError(
            f"the template {text[:60]!r} needs more tokens than fit: CLIP reads {MOST_TOKENS}; "
            "shorten the fixed text or the slots"
        )
    template = Template(parts, tuple(layout), text)
    probe = vocabulary.encode("a") * template.learned
    if vocabulary.encode(template.render(probe, vocabulary)) != template.fill(probe):
        raise TemplateError(
            f"CLIP's tokeniser changes characters of the template {text!r} depending on the words "
            "around them: use plain characters"
        )
    return template


def _parts(text: str, vocabulary: Vocabulary) -> list[Fixed | Slot]:
    parts: list[Fixed | Slot] = []
    literal = ""
    for match in _PART.finditer(text):
        piece = match.group()
        if match.group(1) is None:
            if piece in ("{", "}"):
                raise TemplateError(
                    f"stray {piece!r} in the template {text!r}: a slot is written {{8}}, "
                    "a plain brace is doubled"
                )
            literal += {"{{": "{", "}}": "}"}.get(piece, piece)
            continue
        digits = match.group(1).lstrip("0")
        size = int(digits[:4] or 0)  # more digits are too many anyway, and int() may refuse them
        if size < 1:
            raise TemplateError(
                f"the slot {piece} in the template {text!r} is empty: give it at least 1 token"
            )
        parts += [*_fixed(literal, vocabulary), Slot(size)]
        literal = ""
    return parts + _fixed(literal, vocabulary)


def _fixed(literal: str, vocabulary: Vocabulary) -> list[Fixed | Slot]:
    if not literal.strip():
        return []
    ids = tuple(vocabulary.encode(literal))
    not_words = _NOT_WORDS.search(literal)
    if not_words:
        raise TemplateError(
            f"the template contains {not_words.group()!r}, which ComfyUI does not read as words: "
            "remove it; an embedding can be added to the learned prompt"
        )
    return [Fixed(literal, ids)]
