"""Which tokens of a language model may be learned: those that survive as text.

A token is kept when its text, written twice in a row, is read as the same token twice. So special
tokens, pieces of characters, and pieces that would grow together with their neighbours are left
out.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..errors import VocabularyError


def learnable(tokenizer: Any, kind: str = "words") -> Tensor:
    """The ids of the tokens that may be learned, ascending, (A,).

    tokenizer: of transformers. kind: "words": whole words of letters, which keep to themselves in
    any order. "all": tokens that survive next to themselves; next to others they may not, which is
    why every text is scored as text.
    Raises VocabularyError when none is left.
    """
    special = set(tokenizer.all_special_ids)
    ids = [i for i in range(len(tokenizer)) if i not in special]
    twice = tokenizer.batch_decode([[i, i] for i in ids], clean_up_tokenization_spaces=False)
    read = tokenizer(twice, add_special_tokens=False)["input_ids"]
    kept = [
        i
        for i, text, again in zip(ids, twice, read, strict=True)
        if again == [i, i] and text.isprintable() and (kind == "all" or _is_word(text))
    ]
    if not kept:
        raise VocabularyError(
            f"no token of {tokenizer.name_or_path} survives as a word: choose the vocabulary 'all'"
        )
    return torch.tensor(kept)


def _is_word(twice: str) -> bool:
    """Whether a text is one word written twice, with a space between."""
    first, _, second = twice.strip().partition(" ")
    return first == second and first.isalpha()


def text_of(tokenizer: Any, ids: list[int]) -> str:
    """The text of learned ids. A space at its border would be lost when the text is copied, so it
    is dropped before the text is scored."""
    text: str = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    return text.strip()
