"""A compact token table for training: only the tokens that captions can contain.

CLIP's vocabulary has 49408 tokens, of which these captions use about one in ten. Training with only
those rows is faster. `export.py` restores their places and leaves the other rows zero.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from random import Random

import torch
from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor

from . import attributes
from .concepts import Concept
from .sources import SOURCES

MAX_TOKENS = 20
"""Longer captions are cut; few are longer."""
FILLERS = "a an and of on in with style background two three"


@cache
def clip_tokenizer() -> SimpleTokenizer:
    """CLIP's byte-level BPE."""
    return SimpleTokenizer()


@cache
def word_tokens(word: str) -> tuple[int, ...]:
    """CLIP's token ids of one space-free word."""
    return tuple(clip_tokenizer().encode(word))


def text_tokens(text: str) -> list[int]:
    """CLIP's token ids of `text`, encoded word by word to use the cache."""
    return [token for word in text.split() for token in word_tokens(word)]


def attribute_texts() -> list[str]:
    """All caption texts other than names and tags of concepts."""
    texts = [FILLERS, *attributes.COLOUR_NAMES, *attributes.PATTERNS, *attributes.CAPTION_STARTS]
    texts += [words for group in attributes.EFFECT_WORDS.values() for words in group]
    texts += [words for source in SOURCES for words in source.style_words]
    return texts


def concept_texts(concept: Concept) -> list[str]:
    """The name and the tags, in singular and plural."""
    return [concept.name, concept.name + "s", *concept.tags, *(tag + "s" for tag in concept.tags)]


class TokenTable:
    """Compact ids 0..size-1: caption tokens, start, end, unknown (whose row stays zero)."""

    def __init__(self, concepts: Iterable[Concept]) -> None:
        used = set(text_tokens(", ".join(attribute_texts())))
        for text in attribute_texts():
            used.update(text_tokens(text))
        for concept in concepts:
            for text in concept_texts(concept):
                used.update(text_tokens(text))
                used.update(text_tokens(text.replace(" ", ", ") + ","))
        encoder = clip_tokenizer().encoder
        ends = [encoder["<start_of_text>"], encoder["<end_of_text>"]]
        self.clip_ids: list[int] = sorted(used - set(ends)) + ends
        self.start, self.end, self.unknown = (len(self.clip_ids) - 2 + k for k in range(3))
        self.size = len(self.clip_ids) + 1
        self._compact = {token: row for row, token in enumerate(self.clip_ids)}

    def compact(self, text: str) -> list[int]:
        """Compact ids of `text`, without start and end."""
        return [self._compact.get(token, self.unknown) for token in text_tokens(text)]

    def encode(
        self, texts: list[str], rng: Random | None = None, dropout: float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """Compact ids (B, L) padded with the unknown token, and each text's end position (B,)."""
        rows = []
        for text in texts:
            row = self.compact(text)[: MAX_TOKENS - 2]
            if rng is not None and dropout:
                row = [self.unknown if rng.random() < dropout else token for token in row]
            rows.append([self.start, *row, self.end])
        ids = torch.full((len(rows), max(map(len, rows))), self.unknown)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = torch.tensor(row)
        return ids, torch.tensor([len(row) - 1 for row in rows])

    def single_word_rows(self, concepts: Iterable[Concept]) -> dict[str, int]:
        """Caption words of three letters or more that are one CLIP token -> compact id."""
        found: dict[str, int] = {}
        for text in [*attribute_texts(), *(t for c in concepts for t in (c.name, *c.tags))]:
            for word in re.findall(r"[a-z]{3,}", text.lower()):
                tokens = word_tokens(word)
                if len(tokens) == 1 and tokens[0] in self._compact:
                    found[word] = self._compact[tokens[0]]
        return found
