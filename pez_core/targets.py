"""The targets of a search: pictures and texts as unit features with weights. A prompt moves away
from a target of negative weight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from .compute.inference import normal
from .errors import TargetError


@dataclass(frozen=True)
class Targets:
    """features: (T, E) at unit length. weights: (T,), not all zero. labels: T display names."""

    features: Tensor
    weights: Tensor
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device | str, dtype: torch.dtype = torch.float32) -> Targets:
        return Targets(
            normal(self.features.to(device, dtype)),
            normal(self.weights.to(device, dtype)),
            self.labels,
        )


@torch.inference_mode(False)
def make_targets(
    features: Tensor, weights: Sequence[float] | None = None, labels: Sequence[str] = ()
) -> Targets:
    """Targets made from features. features: (T, E), of any length. weights: T numbers; 1 each if
    omitted.

    Raises TargetError without targets, for features that are not finite or have length zero, for
    weights that are not finite or are all zero, and when the numbers of targets, weights and labels
    differ.
    """
    features = features.detach().clone()
    if features.ndim != 2 or not len(features):
        raise TargetError(
            f"targets must be a (targets, dimension) matrix, got the shape {tuple(features.shape)}"
        )
    count = len(features)
    names = tuple(labels) or tuple(f"target {i + 1}" for i in range(count))
    values = [1.0] * count if weights is None else [float(w) for w in weights]
    if len(names) != count or len(values) != count:
        raise TargetError(
            f"{count} targets, {len(values)} weights and {len(names)} labels do not match: "
            "give one weight and one label for each target"
        )
    weight = torch.tensor(values, dtype=features.dtype, device=features.device)
    if not bool(torch.isfinite(weight).all()) or not bool(weight.any()):
        raise TargetError(f"weights must be finite numbers, not all zero, got {values}")
    usable = torch.isfinite(features).all(dim=1) & (features.norm(dim=1) > 0)
    if not bool(usable.all()):
        bad = [name for name, ok in zip(names, usable.tolist(), strict=True) if not ok]
        raise TargetError(
            f"no usable feature came out of {', '.join(bad)}: it is zero or not finite; "
            "check this input"
        )
    return Targets(F.normalize(features, dim=-1), weight, names)


def join_targets(parts: Sequence[Targets]) -> Targets:
    """The targets of several sets as one set.

    Raises TargetError without sets, and when their dimensions differ.
    """
    if not parts:
        raise TargetError("nothing to learn from: give at least one picture or text")
    dims = {part.features.shape[1] for part in parts}
    if len(dims) > 1:
        raise TargetError(
            f"targets of the dimensions {sorted(dims)} come from different models: use one model"
        )
    return Targets(
        torch.cat([part.features for part in parts]),
        torch.cat([part.weights for part in parts]),
        sum((part.labels for part in parts), ()),
    )


def weighted_similarity(features: Tensor, targets: Targets, rows: Tensor | None = None) -> Tensor:
    """Σ wᵢ·cos(f, tᵢ) / Σ |wᵢ|, between -1 and 1. With one positive target it is the plain cosine.

    features: (R, E) at unit length. rows: indices of the targets of a mini-batch; all targets if
    omitted. → (R,)
    """
    return features @ mean_target(targets, rows)


def mean_target(targets: Targets, rows: Tensor | None = None) -> Tensor:
    """The vector whose dot product with a unit feature is its weighted similarity, (E,)."""
    target, weights = targets.features, targets.weights
    if rows is not None:
        target, weights = target[rows], weights[rows]
    # A mini-batch may hold only targets of weight 0. Its similarity is then 0, not 0/0.
    scale = weights.abs().sum().clamp_min(1e-12)
    return (weights @ target) / scale
