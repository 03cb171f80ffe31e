"""A guard keeps prompts away from concepts in feature space, which a list of words cannot do.

A search can reach the meaning of a banned word through other tokens (arXiv 2302.03668 §1 asks for
filters in feature space). A guard measures what a text means to CLIP: it compares the cosine
between the text and each concept with a threshold of that concept.

Texts of the same form are near each other whatever they mean: in the embedded model "a dog" has the
cosine 0.91 with "pizza". So cosines are measured in a space in which neutral prompts are centred
and have the same variance in all directions (`guard.neutral`). A threshold is computed from N
held-out neutral prompts: it is the k-th largest of their cosines, k = ⌊(N + 1)·rate⌋. A further
neutral prompt exceeds it with probability k/(N + 1) (split conformal prediction, arXiv 2107.07511
§1).

The words that name a concept literally are avoided as well (`guard.concept_words`): a prompt may
contain such a word and still not be near the concept.

But: the rate of false alarms holds for texts like the neutral ones, and a guard knows only what its
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
from ..clip.text_tower import no_op
from ..config import FALSE_POSITIVE_RATE
from ..errors import GuardError
from ..prompt import Nearness
from ..targets import make_targets
from ..text.bans import escape_ban, words_in
from ..text.reading import readings, respelt, valid
from ..text.text_parts import text_parts
from .concept_words import concept_words
from .neutral import Calibration, NeutralSpace, calibrate

log = logging.getLogger(__name__)

# In a search the penalty starts this far below the threshold. Half precision changes cosines by
# less, and with a margin other CLIPs agree more often.
MARGIN = 0.01
# The penalty for each unit of cosine above that: much more than it can add to the similarity, so
# that the gradient points away from the concept.
SLOPE = 3.0
# The additional penalty for any prompt that is too near: more than similarity and fluency can gain,
# so that every clear prompt scores higher than every near one.
STEP = 10.0
MOST_CONCEPTS = 10_000  # of one guard; each is encoded, and so are its words and their inflections
NEVER = 2.0  # a threshold above every cosine


@dataclass(frozen=True)
class Guard:
    """The concepts that texts should avoid, measured by one model.

    names: C concepts. directions: (C, E) at unit length, in the neutral space. thresholds: (C,)
    cosines above which a text is too near. false_positive_rate: the share of neutral texts above
    each threshold. words: the words that name a concept literally, by its name; a search does not
    use them. unknown: the concepts that the model does not distinguish from an empty text; no text
    is near them.
    """

    names: tuple[str, ...]
    directions: Tensor
    thresholds: Tensor
    space: NeutralSpace
    false_positive_rate: float
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unknown: frozenset[str] = frozenset()

    @property
    def ban(self) -> list[str]:
        """Its words as bans for `make_mask`."""
        return [escape_ban(word) for words in self.words.values() for word in words]

    @property
    def settings(self) -> dict[str, Any]:
        """The entries of a result's `settings` that describe the guard."""
        return {"avoided_words": {name: list(words) for name, words in self.words.items()}}

    def says(self, text: str) -> dict[str, tuple[str, ...]]:
        """The words in a text that name a concept literally, by the concept's name; {} if there are
        none. They are compared by spelling, in every reading of the text, whatever it means."""
        there = {word for reading in readings(text) for word in words_in(reading)}
        said = {n: tuple(word for word in ws if word in there) for n, ws in self.words.items()}
        return {name: words for name, words in said.items() if words}

    def near(self, features: Tensor) -> Tensor:
        """Which concepts each text is too near to. (…, E) unit features → (…, C) bool"""
        return self.cosines(features) > self.thresholds

    def cosines(self, features: Tensor) -> Tensor:
        """The cosines of texts with the concepts, in the neutral space. (…, E) unit features → (…,
        C)"""
        return self.space.unit(features.to(self.directions.dtype)) @ self.directions.T

    def penalty(self, features: Tensor, margin: float = MARGIN) -> Tensor:
        """The penalty that a search subtracts from the similarity: 0 for clear texts, and
        increasing with the excess over the thresholds. (…, E) unit features → (…)

        margin: the penalty starts this far below a threshold; with 0 it applies only to texts that
        are too near. A negative target affects every prompt; a guard only excludes a region.
        """
        return self.penalty_of(self.cosines(features), margin)

    def penalty_of(self, cosines: Tensor, margin: float = 0.0) -> Tensor:
        """The same for cosines with the concepts. (…, C) → (…)"""
        excess = (cosines - self.thresholds + margin).clamp_min(0)  # (…, C)
        return SLOPE * excess.sum(dim=-1) + STEP * (excess > 0).any(dim=-1)

    def check(self, model: ClipModel, texts: Sequence[str]) -> list[dict[str, Nearness]]:
        """How near each of N texts is to each concept, by the concept's name, encoded by the model
        of the guard. The nearest of a text's readings counts (see `text.reading`), and of a text
        longer than CLIP's context the nearest part.

        Raises GuardError for a model of other dimensions, and TextError for a text that is too
        long.
        """
        return self.nearness(self.nearest(model, texts), texts)

    def nearness(self, cosines: Tensor, texts: Sequence[str]) -> list[dict[str, Nearness]]:
        """The cosines of N texts with the concepts, and what each text says. (N, C) → N dicts"""
        rows = zip(cosines.tolist(), texts, strict=True)
        return [self._nearness(each, text) for each, text in rows]

    def nearest(
        self, model: ClipModel, texts: Sequence[str], check_interrupt: Callable[[], None] = no_op
    ) -> Tensor:
        """The largest cosine of the parts of each text's readings with each concept, N texts → (N,
        C). check_interrupt: called between passes. Raises as `check` does."""
        self.require(model)
        if not texts:
            return self.thresholds.new_empty(0, len(self.names))
        parts = [
            [p for r in readings(text) for p in text_parts(r, model.vocabulary) or [""]]
            for text in texts
        ]
        features = model.encode_texts([part for some in parts for part in some], check_interrupt)
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
    false_alarms: float = FALSE_POSITIVE_RATE,
    calibration: Calibration | None = None,
) -> Guard:
    """The guard that keeps texts away from the concepts of these texts and pictures.

    pictures: by name. false_alarms: the rate of neutral prompts that each concept may report as too
    near. A higher rate lets fewer texts about the concept pass. calibration: of this model, made
    from your own prompts or shared by several guards.
    Raises GuardError without a concept, for a concept without words, for two of the same name, for
    a rate out of range, for fewer neutral prompts than the rate needs, and for the calibration of
    another model. Raises TargetError for features that are not finite, and ModelError for pictures
    without an image tower.
    """
    named, pictures = _concepts(texts, pictures or {})
    if not 0 < false_alarms <= 0.5:
        raise GuardError(
            f"the rate of false alarms must be above 0 and at most 0.5, got {false_alarms}: 0.01 "
            "means one neutral prompt in a hundred"
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
        raise GuardError(f"{model.name}: its features of neutral prompts are not finite")
    thresholds = cosines.topk(_rank(len(cosines), false_alarms), dim=0).values[-1]
    guard = Guard(concepts.labels, directions, thresholds, space, false_alarms)
    return _with_words(guard, model, named)


def _concepts(
    texts: Sequence[str], pictures: Mapping[str, Image.Image]
) -> tuple[list[str], Mapping[str, Image.Image]]:
    """The names of the texts, each once, and the pictures. A text with look-alike letters or
    invisible signs is followed by what it reads as. Raises GuardError as `make_guard` does."""
    named = list(dict.fromkeys(valid(text).strip() for text in texts))
    if not named and not pictures:
        raise GuardError(
            "nothing to keep away from: give at least one concept, a text or a picture"
        )
    if len(named) > MOST_CONCEPTS:
        raise GuardError(
            f"{len(named):,} concepts are more than one guard can hold: give at most "
            f"{MOST_CONCEPTS:,}"
        )
    if not all(named):
        raise GuardError("an empty text is not a concept: give it some words")
    twice = [name for name in pictures if name in named]
    if twice:
        raise GuardError(f"{twice[0]!r} is the name of a text and of a picture: rename one")
    meant = {reads: name for name in named if (reads := respelt(name))}
    known = {*named, *pictures}
    more = [reads for reads in meant if reads not in known]
    for reads in more:
        log.warning("%a reads as %r, which is avoided as well", meant[reads], reads)
    return [*named, *more], pictures


def _with_words(guard: Guard, model: ClipModel, named: Sequence[str]) -> Guard:
    """The guard with the words of its texts and with its unknown concepts."""

    def near(texts: Sequence[str]) -> Tensor:
        return guard.near(model.encode_texts(texts))

    blank = near([""])[0]  # (C,)
    unknown = [n for n, is_near in zip(guard.names, blank.tolist(), strict=True) if is_near]
    if unknown:
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        log.warning(
            "%s does not know %s%s: an empty text is as near, so only the words are avoided",
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


def _rank(count: int, rate: float) -> int:
    """The threshold's rank among the largest cosines, from 1. Raises GuardError for too few
    prompts."""
    rank = math.floor((count + 1) * rate + 1e-9)
    if rank < 1:
        raise GuardError(
            f"{count} neutral prompts are too few for a rate of false alarms of {rate}: give a "
            f"rate of at least {1 / (count + 1):.2g}, or more prompts"
        )
    return rank
