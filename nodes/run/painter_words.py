"""What the words of a prompt add, and what could replace them, by the model of the graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from ...pez_core.applications.word_edits import borrowed_splices
from ...pez_core.painter.contributions import ROUNDS, changes
from ...pez_core.text.edits import Edits, Word
from ...pez_core.text.vocabulary import clip_vocabulary
from .denoising import GraphErrors, GraphPainter, sized
from .live import Live
from .messages import Effects
from .prompt_text import read, read_words, typed_words, weights_of, write

AS_IT_IS = Edits()
AT_ONCE = 32  # alternatives: the conditioning of each is kept meanwhile


def shaded(picture: GraphErrors, prompt: str) -> list[dict[str, Any]]:
    """The words of a prompt, in order: each as text with the white space before it, and what it
    adds, None for the name of an embedding."""
    vocabulary = clip_vocabulary()
    words = read_words(prompt, vocabulary)
    plain, weights = read(prompt)
    own = weights_of(words, plain, weights)
    without = _without(words, own)
    _, added = changes(picture, write(words, AS_IT_IS, own), [*without.values()])
    adds = dict(zip(without, (one.more for one in added), strict=True))
    return [
        {"text": word.before + word.text, "adds": adds.get(index)}
        for index, word in enumerate(words)
    ]


def borrowed(prompt: str, others: Sequence[str], generator: torch.Generator) -> list[str]:
    """Edits of one word of a prompt, with words of other prompts; weights and embeddings stay. See
    `borrowed_edits`."""
    words, own = typed_words(prompt)
    free = [index for index, word in enumerate(words) if _is_lendable(word)]
    lent = [word.text for other in others for word in typed_words(other)[0] if _is_lendable(word)]
    edited = []
    for first, last, new in borrowed_splices(words, free, lent, generator):
        if new is None:
            edited.append(write(words, AS_IT_IS, own, first))
            continue
        place = words[first:last] or [Word(" ", new, (0,))]  # an added word is a replaced one, too
        weight = own[first:last] or [1.0]
        edited.append(
            write(
                [*words[:first], *place, *words[last:]],
                Edits(replaced={first: new}),
                [*own[:first], *weight, *own[last:]],
            )
        )
    return list(dict.fromkeys(filter(str.strip, edited)))


def _is_lendable(word: Word) -> bool:
    return bool(word.ids) and any(map(str.isalnum, word.text))


def measure_by_painter(
    node_id: str,
    painter: GraphPainter,
    image: torch.Tensor,
    words: Sequence[Word],
    weights: Sequence[float],
    passed_on: str,
    effects: Effects,
) -> Effects:
    """The effects with the painter's contributions, and with the alternatives in its order.

    words, weights: of the prompt before the edits, of which contributions and alternatives are.
    passed_on: the prompt after them, of which the error is. effects: what CLIP has measured; its
    alternatives are compared under one noise, as they are many.
    Raises what `GraphErrors` raises.
    """
    swaps = [
        (index, candidate, write(words, Edits(replaced={index: candidate.text}), weights))
        for index, candidates in enumerate(effects.alternatives)
        for candidate in candidates
    ]
    parts = [swaps[first : first + AT_ONCE] for first in range(0, len(swaps), AT_ONCE)]
    with Live(node_id) as live:
        done, total = 0, ROUNDS + len(parts)

        def tell() -> None:
            nonlocal done
            live.tell(done, total, None)
            done += 1

        picture = GraphErrors(painter, sized(image), 0)
        prompt = write(words, AS_IT_IS, weights)
        without = _without(words, weights)
        texts = [passed_on, *without.values()]
        whole, (after, *added) = changes(picture, prompt, texts, ROUNDS, tell)
        compared = [
            found
            for part in parts
            for found in changes(picture, prompt, [text for *_, text in part], 1, tell)[1]
        ]
    adds = dict(zip(without, (one.more for one in added), strict=True))
    others: list[list[tuple[float, int]]] = [[] for _ in words]
    for number, ((index, _, _), found) in enumerate(zip(swaps, compared, strict=True)):
        others[index].append((whole + found.more, number))
    return replace(
        effects,
        error=after.error,
        contributions=tuple(adds[index] for index in without for _ in words[index].ids),
        alternatives=tuple(
            tuple(replace(swaps[number][1], error=found) for found, number in sorted(of_word))
            for of_word in others
        ),
    )


def _without(words: Sequence[Word], weights: Sequence[float]) -> dict[int, str]:
    """The prompt without each of its words, by the word's place; names of embeddings stay."""
    return {
        index: write(words, AS_IT_IS, weights, index)
        for index, word in enumerate(words)
        if word.ids
    }
