"""Prompts that differ from a prompt in one word: swapped, added or left out.

Which edits are worth a try, CLIP's gradient says (`edits_by_clip`). For a prompt that CLIP cannot
judge, such as a caption for a language model, other prompts of the same picture lend their words
(`borrowed_edits`). Neither decides whether an edit is better.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import torch

from ..clip.models import ClipModel
from ..clip.text_tower import no_op
from ..guard.guard import Guard
from ..prompt import Candidate
from ..search.projection import token_table
from ..search.text_score import score_texts
from ..targets import Targets
from ..text.edits import Word, spliced, split_words
from ..text.template import MOST_TOKENS, Fixed, Template, parse_template
from ..text.vocabulary import TokenMask, Vocabulary
from .attribution import NEUTRAL, alternatives_of, within_context

OF_EACH_KIND = 8
SHUFFLED = 1_000_000
NONE: frozenset[str] = frozenset()

# Words first to last, the last one not included, give way to a new one, or to none.
Splice = tuple[int, int, str | None]


class Proposer(NamedTuple):
    """edits: of a text, that CLIP proposes. scored: the candidate of a text."""

    edits: Callable[[str], list[str]]
    scored: Callable[[str], Candidate]


def proposer(
    model: ClipModel,
    targets: Targets,
    template: str,
    mask: TokenMask,
    guard: Guard | None,
    check_interrupt: Callable[[], None] = no_op,
) -> Proposer:
    """Edits under the options of a search, but for its fluency. The words of the template stay."""
    if guard is not None:
        mask = mask.less(model.vocabulary, guard.ban)
    kept = fixed_words(parse_template(template, model.vocabulary), model.vocabulary)
    targets = targets.to(model.device)

    def edits(text: str) -> list[str]:
        return edits_by_clip(
            model, text, targets, mask, guard=guard, kept=kept, check_interrupt=check_interrupt
        )

    def scored(text: str) -> Candidate:
        candidate: Candidate = score_texts(model, targets, [text], guard)[0].candidate
        return candidate

    return Proposer(edits, scored)


@torch.inference_mode(False)
def edits_by_clip(
    model: ClipModel,
    text: str,
    targets: Targets,
    mask: TokenMask,
    *,
    guard: Guard | None = None,
    kept: Collection[str] = NONE,
    count: int = OF_EACH_KIND,
    check_interrupt: Callable[[], None] = no_op,
) -> list[str]:
    """The edits of one word that CLIP finds most similar to targets: of each kind at most `count`.

    mask: the tokens that may be swapped in or added. guard: what the edits keep away from. kept:
    words in lower case that are neither swapped nor left out, and between which none is added. Only
    words within the first 75 tokens are edited, and a longer text gets no more of them.
    """
    words, vocabulary = split_words(text, model.vocabulary), model.vocabulary

    def fits(edit: str) -> bool:
        return len(vocabulary.encode(edit)) <= MOST_TOKENS

    seen = within_context(words)
    free = [index for index, word in enumerate(words[:seen]) if _is_free(word, kept)]
    cut = not (seen == len(words) and fits(text))
    table = token_table(model.tower.token_embedding, torch.tensor(mask.ids), model.tower.widths)
    comma = Word(" ", NEUTRAL, tuple(vocabulary.encode(NEUTRAL)))
    swapped = [
        spliced(words, index, index + 1, candidate.text)
        for index, found in enumerate(
            alternatives_of(
                model, words, targets, table, free, count=count, check_interrupt=check_interrupt
            )
        )
        for candidate in found
    ]
    added = []
    for gap in [] if cut else _gaps(words, free):
        wider = [*words[:gap], comma, *words[gap:]]
        candidates = alternatives_of(
            model, wider, targets, table, {gap}, count=count, check_interrupt=check_interrupt
        )[gap]
        added += [spliced(words, gap, gap, candidate.text) for candidate in candidates]
    found = []
    for edits in (swapped, added, [spliced(words, index, index + 1) for index in free]):
        texts = [
            edit
            for edit in dict.fromkeys(edits)
            if edit != text and mask.permits(edit) and (cut or fits(edit))
        ]
        scored = score_texts(model, targets.to(model.device), texts, guard)
        away = [one for one in scored if not one.candidate.near]
        away.sort(key=lambda one: -one.value)
        found += [one.candidate.text for one in away[:count]]
    return list(dict.fromkeys(filter(str.strip, found)))


def borrowed_edits(
    text: str,
    others: Sequence[str],
    generator: torch.Generator,
    *,
    kept: Collection[str] = NONE,
    count: int = OF_EACH_KIND,
) -> list[str]:
    """Edits of one word, with words of other prompts: of each kind at most `count`, drawn by
    chance. Words are what white space separates. kept: as for `edits_by_clip`."""
    words = [Word(" " if index else "", piece, ()) for index, piece in enumerate(text.split())]
    free = [index for index, word in enumerate(words) if _is_free(word, kept)]
    lent = [word for other in others for word in other.split()]
    splices = borrowed_splices(words, free, lent, generator, count)
    return list(dict.fromkeys(filter(str.strip, (spliced(words, *splice) for splice in splices))))


def borrowed_splices(
    words: Sequence[Word],
    free: Sequence[int],
    lent: Sequence[str],
    generator: torch.Generator,
    count: int = OF_EACH_KIND,
) -> list[Splice]:
    """Edits of one word: of each kind at most `count`, drawn by chance. free: the places of the
    words that may be swapped or left out. lent: the words of other prompts; those that the prompt
    has itself, in any case, are not used."""
    own = {word.text.lower() for word in words}
    lent = [word for word in dict.fromkeys(lent) if word.lower() not in own]

    def drawn(places: Sequence[int], length: int) -> list[Splice]:
        """Lent words in places, each instead of so many words."""
        pairs = _some_of(len(places) * len(lent), count, generator)
        chosen = (divmod(pair, len(lent)) for pair in pairs)
        return [(places[place], places[place] + length, lent[word]) for place, word in chosen]

    swapped, added = drawn(free, 1), drawn(_gaps(words, free), 0)
    left_out = _some_of(len(free), count, generator)
    return [*swapped, *added, *((free[place], free[place] + 1, None) for place in left_out)]


def _some_of(many: int, count: int, generator: torch.Generator) -> list[int]:
    """Some of the first numbers, drawn by chance, in their order."""
    if many > SHUFFLED:  # of so many, two are hardly ever the same
        drawn = torch.randint(many, (count,), generator=generator)
    else:
        drawn = torch.randperm(many, generator=generator)[:count]
    return sorted(set(drawn.tolist()))


def fixed_words(template: Template, vocabulary: Vocabulary) -> frozenset[str]:
    """The words that a template fixes, in lower case."""
    texts = [part.text for part in template.parts if isinstance(part, Fixed)]
    return frozenset(word.text.lower() for text in texts for word in split_words(text, vocabulary))


def _is_free(word: Word, kept: Collection[str]) -> bool:
    return word.text.lower() not in kept


def _gaps(words: Sequence[Word], free: Sequence[int]) -> list[int]:
    """Where a word may be added: beside a free word, or anywhere in an empty text."""
    return sorted({place for index in free for place in (index, index + 1)}) if words else [0]
