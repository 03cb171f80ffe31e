"""Prompt text as ComfyUI reads it: escapes and weights.

In ComfyUI's prompts only parentheses, a weight in them, and `embedding:` have a meaning. A learned
prompt is escaped, so that CLIP Text Encode tokenises it to exactly the ids that were scored. An
embedding that a user has typed is passed on to the letter: it is a word without tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, groupby

from comfy.sd1_clip import escape_important, token_weights, unescape_important

from ...pez_core.errors import TextError
from ...pez_core.escaping import escape, escape_parentheses
from ...pez_core.text.edits import Edits, Word, edited_words, split_words
from ...pez_core.text.reading import valid
from ...pez_core.text.vocabulary import Vocabulary

DEEPEST = 100  # parentheses inside each other; the weight is then 1.1^100
# ComfyUI looks for a name where a piece of one weight begins, and after a space or a line break. It
# does without commas at the end of a name where there is no file of the whole name.
_EMBEDDING = re.compile(r"(?:^|(?<=[ \n]))embedding:(?:\S*[^\s,])?")


_TYPED = re.compile(
    r"(?P<before>\s*)(?P<word>(?P<name>(?:^|(?<=[ \n]))embedding:(?:\S*[^\s,])?)"
    r"|[^\W_](?:[\w'\u2019-]*\w)?|\S)"
)


def read(prompt: str) -> tuple[str, list[float]]:
    """The plain text of a prompt, and the weight of each of its characters."""
    text, weights = "", []
    for piece, weight in _pieces(prompt):
        text += piece
        weights += [weight] * len(piece)
    return text, weights


def read_words(prompt: str, vocabulary: Vocabulary) -> list[Word]:
    """The words of a prompt's plain text, see `split_words`; embeddings are words without ids."""
    words: list[Word] = []
    text, spans, at = "", list[tuple[int, int]](), 0
    for piece, _ in _pieces(prompt):
        found = (match.span() for match in _EMBEDDING.finditer(piece))
        spans += [(len(text) + start, len(text) + end) for start, end in found]
        text += piece
    for start, end in [*spans, (len(text), len(text))]:
        part = text[at:start]
        split = split_words(part, vocabulary)
        if split and words:
            split[0] = replace(split[0], before=part[: len(part) - len(part.lstrip())])
        words += split
        if end > start:
            words.append(Word(part[len(part.rstrip()) :] if words else "", text[start:end], ()))
        at = end
    return words


def typed_words(prompt: str) -> tuple[list[Word], list[float]]:
    """The words of a prompt for whatever reads it, and the weight of each: runs of letters and
    digits, single other signs, and the names of embeddings, which are words without ids. Each is
    spelt as in the prompt; the ids of the others mean nothing."""
    words, weights, left = list[Word](), list[float](), ""
    for piece, weight in _pieces(prompt):
        for found in _TYPED.finditer(piece):
            before = left + found["before"] if words else ""
            words.append(Word(before, found["word"], () if found["name"] else (0,)))
            weights.append(weight)
            left = ""
        left += piece[len(piece.rstrip()) :]
    return words, weights


def without_embeddings(prompt: str) -> str:
    """The plain text of a prompt that CLIP can read, with a space in place of each embedding."""
    return "".join(_EMBEDDING.sub(" ", piece) for piece, _ in _pieces(prompt))


def embeddings(prompt: str) -> list[str]:
    """The embeddings of a prompt, each with its weight, to be passed on."""
    return [
        _weighted(escape_parentheses(name), weight)
        for piece, weight in _pieces(prompt)
        for name in _EMBEDDING.findall(piece)
    ]


def _pieces(prompt: str) -> Iterator[tuple[str, float]]:
    prompt = valid(prompt)
    escaped = escape_important(prompt)
    if _depth(escaped) > DEEPEST:  # ComfyUI's reader calls itself for each
        raise TextError(
            f"the prompt {prompt[:40]!r}… has more than {DEEPEST} parentheses inside each other: "
            "remove some"
        )
    for piece, weight in token_weights(escaped, 1.0):
        yield unescape_important(piece), weight


def _depth(escaped: str) -> int:
    """How many parentheses are inside each other, at most."""
    if escaped.count("(") <= DEEPEST:
        return escaped.count("(")
    return max(accumulate((sign == "(") - (sign == ")") for sign in escaped))


def _weighted(escaped: str, weight: float) -> str:
    return escaped if weight == 1.0 else f"({escaped}:{weight:.6g})"


def write(
    words: Sequence[Word], edits: Edits, weights: Sequence[float], without: int | None = None
) -> str:
    """The edited prompt, escaped but for embeddings. weights: one per word; its replacement keeps
    it. without: the index of a word that is left out."""
    prompt, after_name = "", False

    def kind(item: tuple[int, str]) -> tuple[float, bool]:
        index = item[0]
        return weights[index], not edits.reads(index, words[index])

    for (weight, is_name), group in groupby(edited_words(words, edits, without), key=kind):
        text = "".join(piece for _, piece in group)
        start = text[: len(text) - len(text.lstrip())]  # stays outside the parentheses
        text = text.lstrip()
        if prompt and not start and (is_name or (after_name and text[:1] != ",")):
            start = " "  # or the name would run together with its neighbour
        prompt += start + _weighted(escape_parentheses(text) if is_name else escape(text), weight)
        after_name = is_name
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
