"""Prompt text as ComfyUI reads it: escapes and weights.

In ComfyUI's prompts only parentheses, a weight in them, and `embedding:` have a meaning. A learned
prompt is escaped, so that CLIP Text Encode tokenises it to exactly the ids that were scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from comfy.sd1_clip import escape_important, token_weights, unescape_important

from ...pez_core.escaping import escape
from ...pez_core.text.edits import Edits, Word, edited_words


def read(prompt: str) -> tuple[str, list[float]]:
    """The plain text of a prompt, and the weight of each of its characters."""
    text, weights = "", []
    for piece, weight in token_weights(escape_important(prompt), 1.0):
        plain = unescape_important(piece)
        text += plain
        weights += [weight] * len(plain)
    return text, weights


def write(words: Sequence[Word], edits: Edits, weights: Sequence[float]) -> str:
    """The edited prompt, escaped. weights: one per word; its replacement keeps it."""
    prompt = ""
    kept = edited_words(words, edits)
    for weight, group in groupby(kept, key=lambda item: weights[item[0]]):
        text = "".join(piece for _, piece in group)
        start = text[: len(text) - len(text.lstrip())]  # stays outside the parentheses
        plain = escape(text.lstrip())
        prompt += start + (plain if weight == 1.0 else f"({plain}:{weight:.4g})")
    return prompt


def weights_of(words: Sequence[Word], text: str, weights: Sequence[float]) -> list[float]:
    """The weight of each word: that of its first character in the text."""
    result, at = [], 0
    for word in words:
        found = text.find(word.text, at)
        at = found if found >= 0 else at
        result.append(weights[at] if at < len(weights) else 1.0)
        at += len(word.text) if found >= 0 else 0
    return result
