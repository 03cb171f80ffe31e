"""How the text encoders of a graph tokenise a prompt: token counts, and whether the tokens decode
to the same text."""

from __future__ import annotations

from typing import Any

from ...pez_core.text.edits import Word
from ...pez_core.text.vocabulary import Vocabulary

_TITLES = {"l": "CLIP-L", "g": "CLIP-G", "h": "CLIP-H", "t5xxl": "T5-XXL"}


def counts(clip: Any, prompt: str, words: list[Word], vocabulary: Vocabulary) -> list[Any]:
    """The number of tokens for each encoder of a CLIP object; without one, for CLIP's tokeniser."""
    if clip is None:
        own = sum(len(word.ids) for word in words)
        return [{"encoder": "CLIP", "tokens": own}]
    return [
        {"encoder": _TITLES.get(key, key), "tokens": len(_content(key, chunks, vocabulary))}
        for key, chunks in clip.tokenize(prompt).items()
    ]


def text_that_comes_back(
    clip: Any, prompt: str, plain: str, words: list[Word], vocabulary: Vocabulary
) -> str | None:
    """The text that the tokens decode to, if it differs from the prompt; None if it is the same.

    ComfyUI's tokeniser and CLIP's differ for some characters: with a CLIP object both are checked.
    """
    ids = [token_id for word in words for token_id in word.ids]
    decoded = vocabulary.decode(ids)
    if _bare(decoded) != _bare(plain):
        return decoded
    if clip is not None:
        for key, chunks in clip.tokenize(prompt).items():
            if key in ("l", "g", "h"):
                theirs = _content(key, chunks, vocabulary)
                return None if theirs == ids else vocabulary.decode(theirs)
    return None


def _bare(text: str) -> str:
    return "".join(text.lower().split())


def _content(key: str, chunks: list[Any], vocabulary: Vocabulary) -> list[int]:
    """The ids without start, end and padding. Embeddings in a prompt are not ids, so they are not
    counted."""
    found: list[int] = []
    for chunk in chunks:
        ids = [item[0] for item in chunk if isinstance(item[0], int)]
        if key in ("l", "g", "h"):
            ids = ids[1:] if ids[:1] == [vocabulary.start] else ids
            found += ids[: ids.index(vocabulary.end)] if vocabulary.end in ids else ids
        else:
            found += [i for i in ids if i > 1]  # T5: 0 pads, 1 ends
    return found
