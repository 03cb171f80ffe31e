"""Changes of a drawing's look that keep its content.

Each drawing set has its own palette, outlines and detail. The model should recognise objects in
unseen sets, so sprites are recoloured, outlined, thinned, flattened and blurred. All functions take
and return colour (N, 3, H, W) and alpha (N, 1, H, W), both in 0..1.
"""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor

LUMA = (0.3, 0.59, 0.11)


def luminance(colour: Tensor) -> Tensor:
    """Brightness (N, 1, H, W) of `colour` (N, 3, H, W)."""
    return (colour * colour.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)


def _hue_rotation(angle: Tensor) -> Tensor:
    """Rotation of RGB space around its gray axis: (N,) radians -> (N, 3, 3)."""
    cos, sin = angle.cos(), angle.sin()
    third, root = (1 - cos) / 3, sin / 3**0.5
    a, b, c = cos + third, third - root, third + root
    rows = torch.stack([a, b, c, c, a, b, b, c, a], dim=1)
    return rows.view(-1, 3, 3)


def jitter_palette(colour: Tensor, generator: torch.Generator) -> Tensor:
    """`colour` with another hue, saturation, contrast and brightness for each sprite."""
    count = len(colour)
    narrow = torch.randn(count, generator=generator) * 0.15
    wide = torch.randn(count, generator=generator) * 0.6
    often = torch.rand(count, generator=generator) < 0.8
    rotation = _hue_rotation(torch.where(often, narrow, wide))
    saturation = 0.5 + torch.rand(count, generator=generator)
    gray = colour.new_tensor(LUMA).expand(3, 3)
    blend = saturation.view(-1, 1, 1)
    matrix = rotation @ (blend * torch.eye(3) + (1 - blend) * gray)
    contrast = 0.8 + 0.4 * torch.rand(count, generator=generator)
    shift = 0.08 * torch.randn(count, generator=generator)
    flat = torch.bmm(matrix * contrast.view(-1, 1, 1), colour.flatten(2))
    flat = flat + (0.5 * (1 - contrast) + shift).view(-1, 1, 1)
    return flat.view_as(colour).clamp(0, 1)


def give_colour(colour: Tensor, paint: Tensor, flat: Tensor) -> Tensor:
    """Sprites in one colour each; shading is kept unless `flat`.

    paint: (N, 3), flat: (N,) bool.
    """
    paint = paint.view(-1, 3, 1, 1)
    light = luminance(colour)
    shaded = (paint * (0.3 + 0.8 * light) + 0.12 * light).clamp(0, 1)
    return torch.where(flat.view(-1, 1, 1, 1), paint.expand_as(shaded), shaded)


def outline(colour: Tensor, alpha: Tensor, stroke: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Sprites with an outline of `stroke` colour (N, 3), `width` pixels wide."""
    grown = functional.max_pool2d(alpha, 2 * width + 1, stride=1, padding=width)
    share = alpha / grown.clamp_min(1e-3)
    return colour * share + stroke.view(-1, 3, 1, 1) * (1 - share), grown


def thin(alpha: Tensor) -> Tensor:
    """Sprites eroded by one pixel."""
    return -functional.max_pool2d(-alpha, 3, stride=1, padding=1)


def posterise(colour: Tensor, levels: int) -> Tensor:
    """Colours rounded to a few levels, as in a flat drawing."""
    return (colour * levels).round() / levels


def lose_detail(picture: Tensor, size: int) -> Tensor:
    """Pictures scaled down and up again: details are lost, the shape is kept."""
    small = functional.interpolate(picture, size=(size, size), mode="area")
    return functional.interpolate(
        small, size=picture.shape[-2:], mode="bilinear", align_corners=False
    )


def vary(colour: Tensor, alpha: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A random look for each sprite: at most a few of the changes above together."""
    count = len(colour)

    def some(share: float) -> Tensor:
        return (torch.rand(count, generator=generator) < share).nonzero()[:, 0]

    colour, alpha = colour.clone(), alpha.clone()
    chosen = some(0.7)
    colour[chosen] = jitter_palette(colour[chosen], generator)
    chosen = some(0.08)
    colour[chosen] = posterise(colour[chosen], 3)
    chosen = some(0.10)
    both = lose_detail(torch.cat([colour[chosen] * alpha[chosen], alpha[chosen]], 1), 28)
    alpha[chosen] = both[:, 3:]
    colour[chosen] = (both[:, :3] / both[:, 3:].clamp_min(1e-3)).clamp(0, 1)
    chosen = some(0.06)
    thinned = thin(alpha[chosen])
    keeps = thinned.mean((1, 2, 3), keepdim=True) > 0.06  # otherwise thin lines would vanish
    alpha[chosen] = torch.where(keeps, thinned, alpha[chosen])
    for width in (1, 2):
        chosen = some(0.10)
        stroke = torch.rand(len(chosen), 1, generator=generator)
        stroke = torch.where(stroke < 0.7, 0.1 * stroke, torch.ones(())).expand(-1, 3)
        colour[chosen], alpha[chosen] = outline(colour[chosen], alpha[chosen], stroke, width)
    return colour, alpha
