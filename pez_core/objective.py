"""How good a prompt is: the weighted mean cosine of its feature with the targets (paper §4: 1 - S
is the loss)."""

from __future__ import annotations

from torch import Tensor

from .targets import Targets


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
