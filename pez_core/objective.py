"""How good a prompt is: the weighted mean cosine of its feature with the targets (paper §4: 1 - S
is the loss)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from .targets import Targets

Penalty = Callable[[Tensor], Tensor]  # unit features (…, E) → (…), to be taken off a similarity


def weighted_similarity(features: Tensor, targets: Targets, rows: Tensor | None = None) -> Tensor:
    """Σ wᵢ·cos(f, tᵢ) / Σ |wᵢ|, between -1 and 1; with one positive target the plain cosine.

    features: (R, E) at unit length. rows: the targets of a mini-batch, all of them if left out. →
    (R,)
    """
    return features @ aim(targets, rows)


def aim(targets: Targets, rows: Tensor | None = None) -> Tensor:
    """The vector whose dot product with a unit feature is its weighted similarity, (E,)."""
    target, weights = targets.features, targets.weights
    if rows is not None:
        target, weights = target[rows], weights[rows]
    # A mini-batch may hold only targets of weight 0: its similarity is then 0, not 0/0.
    scale = weights.abs().sum().clamp_min(1e-12)
    return (weights @ target) / scale


def worth(features: Tensor, aims: Tensor, penalty: Penalty | None = None) -> Tensor:
    """What a search goes by: the weighted similarity, less what the features are fined.

    features: (…, E) at unit length; aims: those of `aim`, of a shape that broadcasts → (…)
    """
    similarity = (features * aims).sum(dim=-1)
    return similarity if penalty is None else similarity - penalty(features)
