"""What the Token Viewer measures: the similarity of a prompt, what its words add, what could
replace them, and whether the prompt is too near to what it should avoid."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ...pez_core.applications.attribution import alternatives, concept_contributions, contributions
from ...pez_core.applications.mixing import measured
from ...pez_core.clip.models import ClipModel
from ...pez_core.guard.guard import Guard
from ...pez_core.prompt import Nearness
from ...pez_core.targets import Targets, make_targets
from ...pez_core.text.bans import escape_ban
from ...pez_core.text.edits import Edits, Word, edited_words
from ...pez_core.text.vocabulary import make_mask
from ..interrupt import check_cancelled
from ..models.encoder import ModelRequest, TextEncoder, open_encoder
from .connection import PromptTokens
from .messages import Effects

ITSELF = "the prompt itself"


def measure(
    request: ModelRequest | None,
    words: Sequence[Word],
    edits: Edits,
    passed_on: str,
    *,
    avoid: tuple[str, ...] = (),
    image: torch.Tensor | None = None,
    tokens: PromptTokens | None = None,
) -> Effects:
    """The effects of the words of a prompt.

    request: the model to measure with; the one of the tokens if None. passed_on: the text after the
    edits, without embeddings, which are not measured. Nearness to `avoid` is measured on that text,
    the contributions and alternatives on the words before the edits.
    Raises what `open_encoder` and `make_guard` raise.
    """
    read = [word for word in words if word.ids]
    encoder, targets, compared_with = _targets(request, image, tokens)
    model = encoder.load()
    check_cancelled()
    if targets is None:
        source = " ".join(word.text for word in read)
        targets = make_targets(model.encode_texts([source]))
    bans = [escape_ban(word) for word in edits.banned]
    mask = make_mask(model.vocabulary, "words", ban=bans, words=model.source.words)
    ids = [token_id for word in words for token_id in word.ids]
    similarity, each = None, dict[str, float]()
    if compared_with != ITSELF:
        candidate = measured(model, passed_on, targets)
        similarity, each = candidate.similarity, dict(candidate.similarities)
    pieces = [
        (place, piece)
        for place, piece in edited_words(words, edits)
        if edits.reads(place, words[place])
    ]
    kept, added = _keeping_away(encoder.guard(avoid), model, pieces, passed_on)
    others = iter(alternatives(model, read, targets, mask, check_interrupt=check_cancelled))
    return Effects(
        compared_with,
        similarity,
        each,
        tuple(contributions(model, ids, targets, check_cancelled)),
        tuple(next(others) if word.ids else () for word in words),
        kept,
        added,
    )


def _keeping_away(
    guard: Guard | None, model: ClipModel, pieces: Sequence[tuple[int, str]], passed_on: str
) -> tuple[dict[str, Nearness], dict[int, dict[str, float]]]:
    """How near the text is to each concept, and what each piece adds where it is too near.
    pieces: with the position of their word."""
    if guard is None:
        return {}, {}
    (kept,) = guard.check(model, [passed_on])
    near = [name for name, found in kept.items() if found.near]
    if not near:
        return kept, {}
    found = concept_contributions(model, [piece for _, piece in pieces], guard, check_cancelled)
    each = zip(pieces, found, strict=True)
    return kept, {place: {name: pull[name] for name in near} for (place, _), pull in each}


def _targets(
    request: ModelRequest | None, image: torch.Tensor | None, tokens: PromptTokens | None
) -> tuple[TextEncoder, Targets | None, str]:
    """The text encoder, the targets of the similarity, and their name: the picture, or what the
    tokens were learned for, or None for the prompt itself."""
    if image is not None:
        request = request or _of(tokens).request
        encoder, seen = open_encoder(request, {"image": image})
        return encoder, make_targets(seen["image"]), "the picture"
    encoder = open_encoder(request)[0] if request else _of(tokens)
    if tokens is not None and encoder.has_features_of(tokens.encoder):
        return encoder, tokens.targets, "what it was learned for"
    return encoder, None, ITSELF


def _of(tokens: PromptTokens | None) -> TextEncoder:
    assert tokens is not None, "neither a model nor tokens"
    return tokens.encoder
