"""The JSON messages to the front end (schema 1), as `web/js` reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import zip_longest
from typing import Any

from ...pez_core.painter.choosing import edits_of
from ...pez_core.painter.improving import Improvement
from ...pez_core.painter.ranking import Ranking
from ...pez_core.prompt import SCHEMA, Candidate, LearnedPrompt, Nearness
from ...pez_core.search.searcher import StepInfo
from ...pez_core.text.bans import escape_ban
from ...pez_core.text.changes import changed_words
from ...pez_core.text.edits import Edits, Word, template
from ...pez_core.text.template import MOST_TOKENS
from ...pez_core.text.vocabulary import Vocabulary
from ..notes import joined_notes


@dataclass(frozen=True)
class Effects:
    """What was measured of a prompt.

    compared_with: what the similarities are with; None if nothing was measured. similarity: of the
    text passed on. similarities: of each encoder where there are several, by its name.
    contributions: by CLIP of each of the first 75 tokens. alternatives: of each word. guard: how
    near the text passed on is to each concept to avoid. concept_contributions: what a word adds to
    each concept that the text is too near to, by the position of the word. error: a painter's, as a
    share of that without words; then the contributions are the painter's too, those of a word for
    each of its tokens.
    """

    compared_with: str | None = None
    similarity: float | None = None
    similarities: Mapping[str, float] = field(default_factory=dict)
    contributions: tuple[float, ...] = ()
    alternatives: tuple[tuple[Candidate, ...], ...] = ()
    guard: Mapping[str, Nearness] = field(default_factory=dict)
    concept_contributions: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    error: float | None = None


def tokens_message(
    ids: Sequence[int], fixed: frozenset[int], vocabulary: Vocabulary
) -> list[dict[str, Any]]:
    """The tokens of a prompt. fixed: the positions that a template fixes."""
    return [
        {"id": t.id, "text": t.text, "ends_word": t.ends_word, "fixed": place in fixed}
        for place, t in enumerate(vocabulary.tokens(ids))
    ]


def progress_message(
    info: StepInfo, fixed: frozenset[int], vocabulary: Vocabulary
) -> dict[str, Any]:
    best = info.best
    assert best is not None
    return {
        "schema": SCHEMA,
        "step": info.step,
        "total": info.total,
        "seconds": round(info.seconds, 2),
        "phase": info.phase,
        "similarity": best.similarity,
        "text": best.text,
        "tokens": tokens_message(best.ids, fixed, vocabulary),
    }


def learned_message(
    learned: LearnedPrompt,
    fixed: frozenset[int],
    vocabulary: Vocabulary,
    note: str = "",
    passed_on: str = "",
) -> dict[str, Any]:
    """passed_on: what follows the text in the prompt, escaped."""
    return {
        "schema": SCHEMA,
        "kind": "learned",
        "text": learned.best.text,
        "similarity": learned.best.similarity,
        "tokens": tokens_message(learned.best.ids, fixed, vocabulary),
        "candidates": candidates_message(learned.candidates),
        "guard": guard_message(learned.best.guard),
        "stopped": learned.stopped,
        "steps": learned.steps,
        "seconds": round(learned.seconds, 2),
        "model": learned.model,
        "note": joined_notes(_of_each(learned.best), note),
        "passed_on": passed_on,
        "edited": edited_message(edits_of(learned)),
    }


def edited_message(edited: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The edits that a painter took, each with the words that it changed. edited: an `Improvement`
    in JSON; None if no edits were asked for."""
    if edited is None:
        return None
    edits, before = [], edited["start"]
    for edit in edited["edits"]:
        pieces = [{"text": t, "kind": k} for t, k in changed_words(before, edit["prompt"])]
        edits.append({**edit, "pieces": pieces})
        before = edit["prompt"]
    return {"edits": edits, "reason": edited["reason"]}


def _of_each(best: Candidate) -> str:
    """The similarity of each encoder of an ensemble as text; empty for a single encoder."""
    return ", ".join(f"{name} {s:.4f}" for name, s in best.similarities.items())


def ranking_message(
    found: Ranking,
    rounds: int,
    words: Mapping[str, list[dict[str, Any]]] | None = None,
    edited: Improvement | None = None,
) -> dict[str, Any]:
    """A ranking that may still go on. rounds: at most. words: of each prompt, with what they
    add. edited: the best prompt after its edits."""
    return {
        "schema": SCHEMA,
        "kind": "ranking",
        "text": edited.prompt if edited else found.prompts[0].prompt,
        "ranking": [
            {**asdict(ranked), "words": (words or {}).get(ranked.prompt, [])}
            for ranked in found.prompts
        ],
        "certainty": found.certainty,
        "step": found.rounds,
        "total": rounds,
        "passes": found.passes,
        "seconds": round(found.seconds, 2),
        "stopped": found.reason,
        "edited": edited_message(asdict(edited) if edited else None),
    }


def candidates_message(candidates: Sequence[Candidate]) -> list[dict[str, Any]]:
    """The error is the painter's, None if none was asked."""
    return [{"text": c.text, "similarity": c.similarity, "error": c.error} for c in candidates]


def guard_message(guard: Mapping[str, Nearness]) -> list[dict[str, Any]]:
    return [{"concept": name, **found.to_json()} for name, found in guard.items()]


def viewed_message(
    source: str,
    text: str,
    words: Sequence[Word],
    edits: Edits,
    effects: Effects,
    counts: Sequence[dict[str, Any]],
    comes_back: str | None,
    vocabulary: Vocabulary,
) -> dict[str, Any]:
    """comes_back: the text of the tokens of `source`; None if it is the same as `source`."""
    return {
        "schema": SCHEMA,
        "kind": "viewed",
        "source": source,
        "text": text,
        "similarity": effects.similarity,
        "similarities": dict(effects.similarities),
        "compared_with": effects.compared_with,
        "error": effects.error,
        "words": _words(words, edits, effects, vocabulary),
        "guard": guard_message(effects.guard),
        "chunk": MOST_TOKENS,
        "counts": list(counts),
        "exact": comes_back is None,
        "exact_text": comes_back or "",
        "template": template(words, edits),
        "ban": ", ".join(escape_ban(word) for word in edits.banned),
        "edits": edits.to_json(),
    }


def _words(
    words: Sequence[Word], edits: Edits, effects: Effects, vocabulary: Vocabulary
) -> list[dict[str, Any]]:
    described, place = [], 0
    for index, word in enumerate(words):
        added = effects.contributions[place : place + len(word.ids)]
        place += len(word.ids)
        described.append(
            {
                "before": word.before,
                "text": word.text,
                "locked": index in edits.locked,
                "banned": edits.bans(word),
                "replaced": edits.replaced.get(index),
                "tokens": [
                    {"id": token_id, "text": text, "contribution": contribution}
                    for token_id, text, contribution in zip_longest(
                        word.ids, _pieces(word.ids, vocabulary), added
                    )
                ],
                "alternatives": candidates_message(
                    effects.alternatives[index] if effects.alternatives else ()
                ),
                "pulls": dict(effects.concept_contributions.get(index, {})),
            }
        )
    return described


def _pieces(ids: Sequence[int], vocabulary: Vocabulary) -> list[str]:
    """The text of each token of a word. A character of several tokens belongs to the last."""
    pieces, start, done = [], 0, 0
    for end in range(1, len(ids) + 1):
        decoded = vocabulary.decode(ids[start:end])
        text = decoded.rstrip("\ufffd")
        pieces.append(text[done:] or "\u00b7")
        done = len(text)
        if text == decoded or end - start == 4:  # a character has four bytes at most
            start, done = end, 0
    return pieces
