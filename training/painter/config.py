"""The settings of a painter's training run, read from a JSON file under configs/."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class PainterConfig:
    """All settings that determine the result of a run."""

    seed: int
    steps: int
    model: dict[str, Any]
    """Arguments of `PatchDenoiser`."""
    clip: str = "pez_core/demo_model"
    """Folder of the CLIP with whose text encoder it reads, from the root of the checkout."""
    batch: int = 128
    lr: float = 2.5e-3
    warmup: int = 300
    hold: float = 0.3
    """Share of the steps at the full rate, before it falls as half a cosine."""
    weight_decay: float = 0.02
    empty_share: float = 0.1
    """Share of texts that are left empty, for classifier-free guidance (arXiv 2207.12598)."""
    time_centre: float = 0.4
    time_spread: float = 1.0
    """Times are sigmoid(N(centre, spread)) of the whole: 1 is all noise (arXiv 2403.03206)."""
    least_variance: float = 0.05
    """The loss is the picture's squared error over the noise's variance, but at least this: the
    loss of the velocity (arXiv 2202.00512), with less weight where there is hardly any noise."""
    average: float = 0.999
    """Decay of the moving average of the weights, which is what paints."""
    pool: int = 150_000
    pools: int = 4
    """Pools of composed scenes in a run, one after the other, each used several times."""
    checkpoint_every: int = 500


def load_painter_config(path: Path) -> PainterConfig:
    """The configuration in `path`; an unknown or missing field is an error."""
    return PainterConfig(**json.loads(path.read_text(encoding="utf-8")))
