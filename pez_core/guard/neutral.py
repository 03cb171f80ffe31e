"""Neutral prompts, and the space in which they are centred and spread alike in all directions.

A CLIP's text features fill a narrow cone, and most of their cosine says of what form a text is: how
long, a caption or a label (arXiv 2203.02053 §2 shows the cone). Less the mean of neutral prompts,
and scaled in each direction by what they spread there (whitening), the cosine tells what one text
says and others do not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ..clip.model_names import DEMO_FOLDER
from ..clip.models import ClipModel
from ..clip.text_tower import nothing
from ..errors import GuardError
from ..text.line_files import read_lines

# Captions drawn from the bigram prior of `fluency`, on whatever the embedded model was trained on.
NEUTRAL = DEMO_FOLDER / "neutral.txt"  # made by training/neutral.py
# Of the mean variance, added to that of every direction: what few prompts say of small variances
# is noise. benchmarks/guarding/guard.py: by the embedded model as good as 0.03, and better than 3.
SHRINKAGE = 0.3
LEAST_PROMPTS = 20  # to speak of a spread at all


@dataclass(frozen=True)
class NeutralSpace:
    """centre: (E,) the mean feature of neutral prompts. scale: (E, E) what makes their spread
    alike."""

    centre: Tensor
    scale: Tensor

    def unit(self, features: Tensor) -> Tensor:
        """Features at unit length in this space, (…, E) → (…, E)."""
        return F.normalize((features - self.centre) @ self.scale, dim=-1)

    def to(self, device: torch.device | str) -> NeutralSpace:
        return NeutralSpace(self.centre.to(device), self.scale.to(device))


@dataclass(frozen=True)
class Calibration:
    """What neutral prompts say of a model. held_out: (N, E) at unit length in the space, of prompts
    that took no part in making it."""

    space: NeutralSpace
    held_out: Tensor

    def to(self, device: torch.device | str) -> Calibration:
        return Calibration(self.space.to(device), self.held_out.to(device))


@torch.inference_mode(False)
def calibrate(
    model: ClipModel,
    prompts: Sequence[str] | None = None,
    tick: Callable[[], None] = nothing,
) -> Calibration:
    """The calibration of a model: every other prompt makes the space, the rest are held out.

    prompts: on anything, such as are usual with you; those of the package if left out. tick: called
    between passes.
    Raises what `neutral_space` raises.
    """
    prompts = neutral_prompts() if prompts is None else prompts
    features = model.encode_texts(prompts, tick)
    space = neutral_space(features[::2])
    return Calibration(space, space.unit(features[1::2]))


def neutral_prompts() -> list[str]:
    """Those of the package."""
    return read_lines(NEUTRAL, GuardError)


def neutral_space(features: Tensor, shrinkage: float = SHRINKAGE) -> NeutralSpace:
    """The space of neutral prompts. features: (N, E) at unit length.

    Raises GuardError for fewer than `LEAST_PROMPTS`, for features that are no numbers, and for
    prompts that are all the same.
    """
    if len(features) < LEAST_PROMPTS:
        raise GuardError(
            f"{len(features)} neutral prompts do not show how prompts spread: give at least "
            f"{2 * LEAST_PROMPTS}, half of which are for the thresholds"
        )
    centre = features.mean(dim=0)
    spread = features - centre
    # In double precision on the CPU: once for a guard, and the same on every device.
    covariance = (spread.T @ spread).double().cpu() / len(features)
    mean = covariance.diagonal().mean()
    if not bool(torch.isfinite(covariance).all()) or not bool(mean > 1e-9):
        raise GuardError("neutral prompts must have different features that are numbers")
    variances, axes = torch.linalg.eigh(covariance)
    scale = (axes * (variances.clamp_min(0) / mean + shrinkage).rsqrt()) @ axes.T
    return NeutralSpace(centre, scale.to(features))
