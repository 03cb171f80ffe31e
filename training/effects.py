"""Whole-picture effects: pixel art, sketch, monochrome, blur, vintage, neon, negative.

Each takes pictures (N, 3, H, W) in 0..1 and returns the same shape. `silhouette` is not here,
because it is part of painting the sprite.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as functional
from torch import Tensor

from .appearance import luminance
from .attributes import COLOURS, GLOWING


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return (low + (high - low) * torch.rand(count, generator=generator)).view(-1, 1, 1, 1)


def _edges(pictures: Tensor) -> Tensor:
    """The strongest colour step around each pixel, (N, 1, H, W)."""
    padded = functional.pad(pictures, (1, 1, 1, 1), mode="replicate")
    across = (padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]).abs().amax(1, keepdim=True)
    down = (padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]).abs().amax(1, keepdim=True)
    return across + down


def pixel(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Large square pixels."""
    cells = int(torch.randint(12, 19, (), generator=generator))
    small = functional.interpolate(pictures, size=(cells, cells), mode="area")
    return functional.interpolate(small, size=pictures.shape[-2:], mode="nearest")


def sketch(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Dark lines on white."""
    lines = (_edges(pictures) * _uniform(len(pictures), 1.2, 2.0, generator)).clamp(0, 1)
    return (1 - lines).expand_as(pictures)


def neon(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Glowing lines of one bright colour on black."""
    lines = (_edges(pictures) * _uniform(len(pictures), 1.2, 2.0, generator)).clamp(0, 1)
    palette = pictures.new_tensor([COLOURS[name] for name in GLOWING]) / 255.0
    picked = torch.randint(len(GLOWING), (len(pictures),), generator=generator)
    glow = (lines + functional.avg_pool2d(lines, 5, stride=1, padding=2) * 0.8).clamp(0, 1.3)
    return 0.05 + glow * palette[picked].view(-1, 3, 1, 1) + (glow > 0.9) * 0.25


def monochrome(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Shades of gray."""
    return luminance(pictures).expand_as(pictures)


def blurry(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Out of focus."""
    radius = int(torch.randint(2, 5, (), generator=generator))
    padded = functional.pad(pictures, (2 * radius,) * 4, mode="replicate")
    for _ in range(2):
        padded = functional.avg_pool2d(padded, 2 * radius + 1, stride=1)
    return padded


def vintage(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Brown, as an old photograph."""
    return luminance(pictures) * pictures.new_tensor([1.05, 0.86, 0.62]).view(1, 3, 1, 1) + 0.04


def negative(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Every colour inverted."""
    return 1 - pictures


FILTERS: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "pixel": pixel,
    "sketch": sketch,
    "monochrome": monochrome,
    "blurry": blurry,
    "vintage": vintage,
    "neon": neon,
    "negative": negative,
}


def apply_effects(
    pictures: Tensor, effects: list[str | None], generator: torch.Generator
) -> Tensor:
    """Pictures (N, 3, H, W) after the named effect of each."""
    result = pictures.clone()
    for name, effect in FILTERS.items():
        rows = [row for row, wanted in enumerate(effects) if wanted == name]
        if rows:
            result[rows] = effect(pictures[rows], generator).clamp(0, 1)
    return result
