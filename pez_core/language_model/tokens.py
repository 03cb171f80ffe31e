"""The tokens of a language model that can be learned: those that survive as text.

A token is kept if its text, written twice in a row, is tokenised to the same token twice. This
leaves out special tokens, parts of characters, and pieces that merge with their neighbours.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..errors import VocabularyError


def learnable(tokenizer: Any, kind: str = "words") -> Tensor:
    """The ids of the tokens that can be learned, ascending, (A,).

    tokenizer: of transformers. kind: "words": whole words of letters, which survive in any order.
    "all": tokens that survive next to themselves. They may not survive next to others, so every
    text is scored as text.
    Raises VocabularyError if none is left.
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
            f"no token of {tokenizer.name_or_path} is a whole word: choose the vocabulary 'all'"
        )
    return torch.tensor(kept)


def _is_word(twice: str) -> bool:
    """Whether a text is one word written twice, with a space between."""
    first, _, second = twice.strip().partition(" ")
    return first == second and first.isalpha()


def text_of(tokenizer: Any, ids: list[int]) -> str:
    """The text of learned ids, without spaces at its ends. A user who copies the text loses them,
    so it is scored without them."""
    text: str = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    return text.strip()
