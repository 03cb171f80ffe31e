"""A guard: keeps prompts away from concepts in feature space, where a list of words cannot.

With a word banned its meaning is reached through other tokens (arXiv 2302.03668 §1 asks for filters
in feature space). A guard looks at what a text means to CLIP: the cosine between the text and each
concept, against a threshold of that concept.

Texts of one form lie near each other whatever they say: to the embedded model "a dog" has the
cosine 0.91 with "pizza". So cosines are taken where neutral prompts are centred and spread alike in
all directions (`neutral`). Thresholds come from neutral prompts that took no part in that: of N
cosines the k-th largest, k = ⌊(N + 1)·rate⌋, which a further one exceeds with probability k/(N + 1)
(split conformal prediction, arXiv 2107.07511 §1).

The words that say a concept outright are kept out as well (`concept_words`): a prompt may hold such
a word and yet lie clear of its meaning.

But: the false-alarm rate is that of texts like the neutral ones, and a guard knows only what its
CLIP has learned.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ..clip.models import ClipModel
from ..clip.text_tower import nothing
from ..errors import GuardError
from ..prompt import Nearness
from ..targets import make_targets
from ..text.text_parts import text_parts
from ..text.vocabulary import escape_ban, words_in
from .concept_words import concept_words
from .neutral import Calibration, NeutralSpace, calibrate

log = logging.getLogger(__name__)

FALSE_ALARMS = 0.01
# While searching, so far below its threshold a concept begins to cost: half precision moves
# cosines by less, and another CLIP agrees the more.
MARGIN = 0.01
# What a cosine above that costs: much more than it can add to the similarity, so that the gradient
# leads out.
SLOPE = 3.0
# What any prompt too near costs beside it: more than similarity and fluency can make up for, so
# that every clear prompt is worth more than every near one.
STEP = 10.0
NEVER = 2.0  # a threshold that no cosine reaches


@dataclass(frozen=True)
class Guard:
    """What texts are to keep away from, by one model.

    names: C concepts. directions: (C, E) at unit length, in the neutral space. thresholds: (C,)
    cosines above which a text is too near. false_alarms: the share of neutral texts above each.
    words: those that say a concept outright, by its name; a search does not use them. unknown: the
    concepts that mean no more to the model than an empty text; no text is near them.
    """

    names: tuple[str, ...]
    directions: Tensor
    thresholds: Tensor
    space: NeutralSpace
    false_alarms: float
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unknown: frozenset[str] = frozenset()

    @property
    def ban(self) -> list[str]:
        """Its words as `make_mask` takes them."""
        return [escape_ban(word) for words in self.words.values() for word in words]

    @property
    def settings(self) -> dict[str, Any]:
        """What a result's `settings` say of it."""
        return {"avoided_words": {name: list(words) for name, words in self.words.items()}}

    def says(self, text: str) -> dict[str, tuple[str, ...]]:
        """The words in a text that say a concept outright, by the concept's name; {} where there
        are none. They count by their letters, whatever the text means."""
        there = words_in(text)
        said = {n: tuple(word for word in ws if word in there) for n, ws in self.words.items()}
        return {name: words for name, words in said.items() if words}

    def near(self, features: Tensor) -> Tensor:
        """Which concepts each text is too near to. (…, E) unit features → (…, C) bool"""
        return self.cosines(features) > self.thresholds

    def cosines(self, features: Tensor) -> Tensor:
        """Of texts with the concepts, in the neutral space. (…, E) unit features → (…, C)"""
        return self.space.unit(features.to(self.directions.dtype)) @ self.directions.T

    def penalty(self, features: Tensor, margin: float = MARGIN) -> Tensor:
        """What a search takes off the similarity: 0 for texts that are clear, and rising with what
        is too near. (…, E) unit features → (…)

        margin: how far below its threshold a concept begins to cost; 0 fines just what is near.
        A negative target pulls every prompt away from it for ever; this only shuts a region.
        """
        excess = (self.cosines(features) - self.thresholds + margin).clamp_min(0)  # (…, C)
        return SLOPE * excess.sum(dim=-1) + STEP * (excess > 0).any(dim=-1)

    def measure(self, features: Tensor, texts: Sequence[str]) -> list[dict[str, Nearness]]:
        """How near each of N texts is to each concept, by the concept's name. (N, E) → N dicts"""
        rows = zip(self.cosines(features).tolist(), texts, strict=True)
        return [self._nearness(cosines, text) for cosines, text in rows]

    def check(self, model: ClipModel, texts: Sequence[str]) -> list[dict[str, Nearness]]:
        """`measure` of texts, encoded by the model that the guard was made with. Of a text longer
        than CLIP reads every part counts: told is the nearest one.

        Raises GuardError for another model, as far as its dimensions tell.
        """
        rows = zip(self.nearest(model, texts).tolist(), texts, strict=True)
        return [self._nearness(cosines, text) for cosines, text in rows]

    def nearest(
        self, model: ClipModel, texts: Sequence[str], tick: Callable[[], None] = nothing
    ) -> Tensor:
        """The cosines of each text's nearest part with the concepts, N texts → (N, C). tick: called
        between passes. Raises as `check` does."""
        self.require(model)
        if not texts:
            return self.thresholds.new_empty(0, len(self.names))
        parts = [text_parts(text, model.vocabulary) or [""] for text in texts]
        features = model.encode_texts([part for some in parts for part in some], tick)
        cosines = self.to(model.device).cosines(features)
        return torch.stack([each.amax(dim=0) for each in cosines.split([len(p) for p in parts])])

    def _nearness(self, cosines: Sequence[float], text: str) -> dict[str, Nearness]:
        said = self.says(text)
        return {
            name: Nearness(cosine, limit, said.get(name, ()), name not in self.unknown)
            for name, cosine, limit in zip(
                self.names, cosines, self.thresholds.tolist(), strict=True
            )
        }

    def require(self, model: ClipModel) -> None:
        """Raises GuardError when the guard was made with a model of other dimensions."""
        _require_model(model, self.directions.shape[1], "guard")

    def to(self, device: torch.device | str) -> Guard:
        directions, thresholds = self.directions.to(device), self.thresholds.to(device)
        space = self.space.to(device)
        return replace(self, directions=directions, thresholds=thresholds, space=space)


@torch.inference_mode(False)
def make_guard(
    model: ClipModel,
    texts: Sequence[str] = (),
    pictures: Mapping[str, Image.Image] | None = None,
    *,
    false_alarms: float = FALSE_ALARMS,
    calibration: Calibration | None = None,
) -> Guard:
    """The guard that keeps texts away from what these texts and pictures show.

    pictures: by the names to tell them by. false_alarms: the share of neutral prompts that each
    concept may call too near; more of them, and less that is meant slips through. calibration: of
    this model, by prompts of your own, or because it makes more than one guard.
    Raises GuardError for no concept, one without words, two of one name, a rate out of range, fewer
    neutral prompts than the rate needs, and the calibration of another model; TargetError for
    features that are no numbers; ModelError when pictures are given and there is no image tower.
    """
    named, pictures = _concepts(texts, pictures or {})
    if not 0 < false_alarms <= 0.5:
        raise GuardError(
            f"the rate of false alarms must be above 0 and at most 0.5, got {false_alarms}: 0.01 "
            "is one of a hundred"
        )
    features = [model.encode_texts(named)] if named else []
    if pictures:
        features.append(model.encode_pictures(list(pictures.values())))
    concepts = make_targets(torch.cat(features), labels=[*named, *pictures])
    calibration = (calibration or calibrate(model)).to(model.device)
    space = calibration.space
    _require_model(model, len(space.centre), "calibration")
    directions = space.unit(concepts.features.to(space.centre.dtype))
    cosines = calibration.held_out @ directions.T  # (N, C)
    if not bool(torch.isfinite(cosines).all()):
        raise GuardError(f"{model.name} gives neutral prompts features that are no numbers")
    thresholds = cosines.topk(_rank(len(cosines), false_alarms), dim=0).values[-1]
    guard = Guard(concepts.labels, directions, thresholds, space, false_alarms)
    return _with_words(guard, model, named)


def _concepts(
    texts: Sequence[str], pictures: Mapping[str, Image.Image]
) -> tuple[list[str], Mapping[str, Image.Image]]:
    """The concepts by name, each once. Raises GuardError as `make_guard` does."""
    named = list(dict.fromkeys(text.strip() for text in texts))
    if not named and not pictures:
        raise GuardError(
            "nothing to keep away from: give at least one concept, a text or a picture"
        )
    if not all(named):
        raise GuardError("an empty text is no concept: give it some words")
    twice = [name for name in pictures if name in named]
    if twice:
        raise GuardError(f"{twice[0]!r} is the name of a text and of a picture: rename one")
    return named, pictures


def _with_words(guard: Guard, model: ClipModel, named: Sequence[str]) -> Guard:
    """The guard with the words of its texts, and with what the model does not know."""

    def near(texts: Sequence[str]) -> Tensor:
        return guard.near(model.encode_texts(texts))

    blank = near([""])[0]  # (C,)
    unknown = [n for n, is_near in zip(guard.names, blank.tolist(), strict=True) if is_near]
    if unknown:
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        log.warning(
            "%s does not know %s%s: an empty text is as near; only the words are kept away from",
            model.name,
            ", ".join(map(repr, unknown[:5])),
            more,
        )
    words = concept_words(named, unknown, model.vocabulary, near)
    thresholds = guard.thresholds.masked_fill(blank, NEVER)
    return replace(guard, words=words, thresholds=thresholds, unknown=frozenset(unknown))


def _require_model(model: ClipModel, dimensions: int, what: str) -> None:
    if dimensions != model.tower.embed_dim:
        raise GuardError(
            f"the {what} has {dimensions} dimensions and the text tower {model.tower.embed_dim}: "
            "make it with the same model"
        )


def _rank(count: int, false_alarms: float) -> int:
    """The threshold's place among the largest cosines, from 1. Raises GuardError."""
    rank = math.floor((count + 1) * false_alarms + 1e-9)
    if rank < 1:
        raise GuardError(
            f"{count} neutral prompts cannot tell a false-alarm rate of {false_alarms}: give a "
            f"rate of at least {1 / (count + 1):.2g}, or more prompts"
        )
    return rank
