"""Neutral prompts, and the space in which they are centred and have the same variance in all
directions.

A CLIP's text features fill a narrow cone (arXiv 2203.02053 §2), and most of their cosine reflects
the form of a text: its length, or whether it is a caption or a label. So the mean of neutral
prompts is subtracted, and each direction is scaled by their variance in it (whitening). Then the
cosine reflects the meaning in which texts differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ..clip.model_names import DEMO_FOLDER
from ..clip.models import ClipModel
from ..clip.text_tower import no_op
from ..errors import GuardError
from ..text.line_files import read_lines

# Captions drawn from the bigram prior (`search.fluency`), on all subjects that the embedded model
# was trained on.
NEUTRAL = DEMO_FOLDER / "neutral.txt"  # made by training/neutral.py
# The share of the mean variance that is added to every direction: estimates of small variances from
# few prompts are noise. benchmarks/guarding/guard.py: with the embedded model as good as 0.03, and
# better than 3.
SHRINKAGE = 0.3
LEAST_PROMPTS = 20  # fewer cannot estimate a variance


@dataclass(frozen=True)
class NeutralSpace:
    """centre: (E,) the mean feature of neutral prompts. scale: (E, E) the whitening matrix."""

    centre: Tensor
    scale: Tensor

    def unit(self, features: Tensor) -> Tensor:
        """Features at unit length in this space, (…, E) → (…, E)."""
        return F.normalize((features - self.centre) @ self.scale, dim=-1)

    def to(self, device: torch.device | str) -> NeutralSpace:
        return NeutralSpace(self.centre.to(device), self.scale.to(device))


@dataclass(frozen=True)
class Calibration:
    """The neutral space of a model with held-out prompts. held_out: (N, E) at unit length in the
    space, of prompts that were not used to make it."""

    space: NeutralSpace
    held_out: Tensor

    def to(self, device: torch.device | str) -> Calibration:
        return Calibration(self.space.to(device), self.held_out.to(device))


@torch.inference_mode(False)
def calibrate(
    model: ClipModel,
    prompts: Sequence[str] | None = None,
    check_interrupt: Callable[[], None] = no_op,
) -> Calibration:
    """The calibration of a model. Every second prompt makes the space; the rest are held out.

    prompts: on any subject, of the kind that you use; the package's own if omitted.
    check_interrupt: called between passes.
    Raises what `neutral_space` raises.
    """
    prompts = neutral_prompts() if prompts is None else prompts
    features = model.encode_texts(prompts, check_interrupt)
    space = neutral_space(features[::2])
    return Calibration(space, space.unit(features[1::2]))


def neutral_prompts() -> list[str]:
    """The neutral prompts of the package."""
    return read_lines(NEUTRAL, GuardError, "prompt")


def neutral_space(features: Tensor, shrinkage: float = SHRINKAGE) -> NeutralSpace:
    """The space of neutral prompts. features: (N, E) at unit length.

    Raises GuardError for fewer than `LEAST_PROMPTS`, for features that are not finite, and for
    prompts that are all the same.
    """
    if len(features) < LEAST_PROMPTS:
        raise GuardError(
            f"{len(features)} neutral prompts are too few for a neutral space: give at least "
            f"{2 * LEAST_PROMPTS}, half of which are for the thresholds"
        )
    centre = features.mean(dim=0)
    spread = features - centre
    # In double precision on the CPU: computed once for each guard, and equal on every device.
    covariance = (spread.T @ spread).double().cpu() / len(features)
    mean = covariance.diagonal().mean()
    if not bool(torch.isfinite(covariance).all()) or not bool(mean > 1e-9):
        raise GuardError("neutral prompts must have different, finite features: give other prompts")
    variances, axes = torch.linalg.eigh(covariance)
    scale = (axes * (variances.clamp_min(0) / mean + shrinkage).rsqrt()) @ axes.T
    return NeutralSpace(centre, scale.to(features))
