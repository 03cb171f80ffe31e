"""What the Token Viewer measures of a prompt: its similarity, what its words add, what could stand
in their place, and whether it is near what it should keep away from."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ...pez_core.applications.attribution import alternatives, concept_contributions, contributions
from ...pez_core.applications.mixing import measured
from ...pez_core.clip.models import ClipModel
from ...pez_core.guard.guard import Guard
from ...pez_core.prompt import Nearness
from ...pez_core.targets import Targets, make_targets
from ...pez_core.text.edits import Edits, Word, edited_words
from ...pez_core.text.vocabulary import escape_ban, make_mask
from ..models.encoder import Asked, Encoder, TextEncoder
from ..models.joint import JointEncoder, open_encoder
from .connection import PromptTokens
from .live import check_cancelled
from .messages import Effects

ITSELF = "the prompt itself"


def measure(
    asked: Asked,
    words: Sequence[Word],
    edits: Edits,
    passed_on: str,
    *,
    avoid: tuple[str, ...] = (),
    image: torch.Tensor | None = None,
    tokens: PromptTokens | None = None,
) -> Effects:
    """passed_on: the text that the words have become by the edits. What each of them adds to a
    nearness is of that text, what it adds to the similarity of the words as they came.
    Raises what the encoder and `make_guard` raise."""
    encoder = open_encoder(asked)
    text, targets, compared_with = _targets(encoder, image, tokens)
    model = text.load()
    check_cancelled()
    if targets is None:
        source = " ".join(word.text for word in words)
        targets = make_targets(model.encode_texts([source]))
    bans = [escape_ban(word) for word in edits.banned]
    mask = make_mask(model.vocabulary, "words", ban=bans, words=model.source.words)
    ids = [token_id for word in words for token_id in word.ids]
    similarity, each = None, dict[str, float]()
    if compared_with != ITSELF:
        candidate = measured(model, passed_on, targets)
        similarity, each = candidate.similarity, dict(candidate.similarities)
    kept, added = _keeping_away(text.guard(avoid), model, edited_words(words, edits), passed_on)
    return Effects(
        compared_with,
        similarity,
        each,
        tuple(contributions(model, ids, targets, check_cancelled)),
        tuple(alternatives(model, words, targets, mask, check_interrupt=check_cancelled)),
        kept,
        added,
    )


def _keeping_away(
    guard: Guard | None, model: ClipModel, pieces: Sequence[tuple[int, str]], passed_on: str
) -> tuple[dict[str, Nearness], dict[int, dict[str, float]]]:
    """How near the text is to each concept, and what each piece adds to those it is too near to.
    pieces: by their place among the words."""
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
    encoder: Encoder | JointEncoder, image: torch.Tensor | None, tokens: PromptTokens | None
) -> tuple[TextEncoder, Targets | None, str]:
    """The text tower, and what similarities are with: the picture, or what the tokens were learned
    for, or None for the prompt itself."""
    if image is not None:
        targets = make_targets(encoder.see(image, "image"))
        return encoder.text(targets.features.shape[1]), targets, "the picture"
    text = encoder.text()
    if tokens is not None and tokens.targets.features.shape[1] == text.embed_dim:
        return text, tokens.targets, "what it was learned for"
    return text, None, ITSELF
