"""Paints scenes in batches: sprites are coloured, rotated and placed on their backgrounds."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from random import Random

import torch
import torch.nn.functional as functional
from torch import Tensor

from .appearance import give_colour, vary
from .attributes import COLOURS
from .effects import apply_effects
from .scenes import Scene

PICTURE_SIZE = 64
PLAIN_SCALE = 0.9
"""Share of the picture that a sprite fills without random changes."""
COUNT_PLACES = {2: ((-0.47, 0.0), (0.47, 0.0)), 3: ((-0.47, 0.4), (0.47, 0.4), (0.0, -0.45))}


@dataclass
class Layers:
    """One entry for each sprite on a picture, lower ones first."""

    sprite: list[int] = field(default_factory=list)
    picture: list[int] = field(default_factory=list)
    depth: list[int] = field(default_factory=list)
    placing: list[list[list[float]]] = field(default_factory=list)
    paint: list[tuple[float, float, float] | None] = field(default_factory=list)
    flat: list[bool] = field(default_factory=list)


def placing(
    scale: tuple[float, float], x: float, y: float, degrees: float, shear: float, flip: bool
) -> list[list[float]]:
    """Map (2x3) from picture to sprite coordinates, both -1..1, as for `affine_grid`."""
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    side = -1.0 if flip else 1.0
    top = [side * (cos + shear * sin) / scale[0], side * (sin - shear * cos) / scale[0]]
    low = [-sin / scale[1], cos / scale[1]]
    return [[*row, -(row[0] * x + row[1] * y)] for row in (top, low)]


def _shade(name: str, rng: Random, vivid: bool) -> tuple[float, float, float]:
    """RGB of the colour word `name`, slightly varied if `vivid`."""
    base = [channel / 255.0 for channel in COLOURS[name]]
    if not vivid:
        return base[0], base[1], base[2]
    light = rng.uniform(0.85, 1.1)
    red, green, blue = (min(1.0, max(0.0, c * light + rng.gauss(0, 0.03))) for c in base)
    return red, green, blue


class Composer:
    """A painter of scenes from the sprite cache.

    sprites: (N, 4, 72, 72) uint8; mono: whether each sprite is drawn in a single colour.
    """

    def __init__(self, sprites: Tensor, mono: list[bool]) -> None:
        self.sprites = sprites
        self.mono = mono

    def paint(
        self, scenes: list[Scene], rng: Random, generator: torch.Generator, plain: bool = False
    ) -> Tensor:
        """Pictures (B, 3, 64, 64) in 0..1. `plain`: without random changes besides those in the
        scene."""
        layers = self._lay_out(scenes, rng, plain)
        colour, alpha = self._colour_sprites(layers, generator, plain)
        premultiplied = torch.cat([colour * alpha, alpha], dim=1)
        shape = [len(layers.sprite), 4, PICTURE_SIZE, PICTURE_SIZE]
        grid = functional.affine_grid(torch.tensor(layers.placing), shape, align_corners=False)
        placed = functional.grid_sample(premultiplied, grid, align_corners=False)
        pictures = self._backgrounds(scenes, rng, plain)
        depth, owner = torch.tensor(layers.depth), torch.tensor(layers.picture)
        for level in range(int(depth.max()) + 1):
            here = depth == level
            under, over = owner[here], placed[here]
            pictures[under] = pictures[under] * (1 - over[:, 3:]) + over[:, :3]
        if not plain:
            pictures = _change_light(pictures, generator)
        pictures = apply_effects(pictures.clamp(0, 1), [s.effect for s in scenes], generator)
        return pictures if plain else _add_noise(pictures, generator)

    def _lay_out(self, scenes: list[Scene], rng: Random, plain: bool) -> Layers:
        layers = Layers()
        for row, scene in enumerate(scenes):
            spots = _spots(scene, rng, plain)
            for depth, (sprite, colour, place) in enumerate(spots):
                mono = self.mono[sprite]
                if mono and colour is None and scene.effect != "neon":
                    colour = "white" if scene.background == "black" else "black"
                layers.sprite.append(sprite)
                layers.picture.append(row)
                layers.depth.append(depth)
                layers.placing.append(place)
                layers.paint.append(_shade(colour, rng, not plain) if colour else None)
                layers.flat.append(mono or scene.effect == "silhouette")
        return layers

    def _colour_sprites(
        self, layers: Layers, generator: torch.Generator, plain: bool
    ) -> tuple[Tensor, Tensor]:
        """Colour (N, 3, 72, 72) and alpha (N, 1, 72, 72) of every layer."""
        pixels = self.sprites[torch.tensor(layers.sprite)].float() / 255.0
        colour, alpha = pixels[:, :3], pixels[:, 3:]
        if not plain:
            colour, alpha = vary(colour, alpha, generator)
        rows = [row for row, paint in enumerate(layers.paint) if paint is not None]
        if rows:
            paint = torch.tensor([layers.paint[row] for row in rows])
            flat = torch.tensor([layers.flat[row] for row in rows])
            colour[rows] = give_colour(colour[rows], paint, flat)
        return colour, alpha

    @staticmethod
    def _backgrounds(scenes: list[Scene], rng: Random, plain: bool) -> Tensor:
        """Coloured canvases (B, 3, 64, 64), with their patterns."""
        shades = []
        for scene in scenes:
            # White stays pure in most pictures, as in most pictures of users.
            vivid = not plain and (scene.background != "white" or rng.random() < 0.3)
            shades.append(_shade(scene.background, rng, vivid))
        canvas = torch.tensor(shades).view(-1, 3, 1, 1)
        canvas = canvas.repeat(1, 1, PICTURE_SIZE, PICTURE_SIZE)
        for row, scene in enumerate(scenes):
            if scene.pattern:
                canvas[row] = _patterned(canvas[row], scene.pattern, rng)
        return canvas


def _spots(scene: Scene, rng: Random, plain: bool) -> list[tuple[int, str | None, list]]:
    """(sprite, colour, placing) of every object in the scene."""
    if scene.partner is not None:
        side, upright = rng.choice((-0.48, 0.48)), rng.random() < 0.5
        spots = []
        objects = ((scene.sprite, scene.colour, side), (scene.partner, None, -side))
        for sprite, colour, at in objects:
            off = rng.uniform(-0.25, 0.25)
            x, y = (off, at) if upright else (at, off)
            size = 0.48 * rng.uniform(0.88, 1.08)
            turn, flip = rng.uniform(-6, 6), rng.random() < 0.3
            spots.append((sprite, colour, placing((size, size), x, y, turn, 0.0, flip)))
        return spots
    if scene.count > 1:
        flip = rng.random() < 0.3
        spots = []
        for x, y in COUNT_PLACES[scene.count]:
            size = 0.47 * rng.uniform(0.9, 1.05)
            x, y = x + rng.uniform(-0.05, 0.05), y + rng.uniform(-0.1, 0.1)
            place = placing((size, size), x, y, rng.uniform(-5, 5), 0.0, flip)
            spots.append((scene.sprite, scene.colour, place))
        return spots
    if plain:
        place = placing((PLAIN_SCALE, PLAIN_SCALE), 0.0, 0.0, 0.0, 0.0, False)
    else:
        size, stretch = rng.uniform(0.6, 1.1), rng.gauss(0, 0.08)
        scale = (size * math.exp(stretch), size * math.exp(-stretch))
        x, y = rng.uniform(-0.18, 0.18), rng.uniform(-0.18, 0.18)
        place = placing(scale, x, y, rng.gauss(0, 9), rng.gauss(0, 0.08), rng.random() < 0.35)
    return [(scene.sprite, scene.colour, place)]


def _patterned(canvas: Tensor, pattern: str, rng: Random) -> Tensor:
    """One canvas (3, H, W) with stripes, dots or a gradient of a paler shade."""
    line = torch.linspace(-1, 1, PICTURE_SIZE)
    x, y = line.view(1, 1, -1), line.view(1, -1, 1)
    if pattern == "gradient":
        angle = rng.uniform(0, 2 * math.pi)
        return canvas * (0.75 + 0.25 * (x * math.cos(angle) + y * math.sin(angle)))
    rate = rng.uniform(8, 16)
    if pattern == "striped":
        angle = rng.choice((0.0, 0.5, 0.25, 0.75)) * math.pi
        wave = torch.sin(rate * (x * math.cos(angle) + y * math.sin(angle)) + rng.uniform(0, 6))
        pale = (wave > 0).float()
    else:
        pale = (torch.cos(rate * x) + torch.cos(rate * y) > 0.9).float()
    return canvas * (1 - pale) + pale * (canvas * 0.35 + 0.65)


def _change_light(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures (B, 3, H, W) with slightly changed contrast and brightness."""
    count = len(pictures)
    contrast = 0.9 + 0.2 * torch.rand(count, 1, 1, 1, generator=generator)
    brightness = 0.12 * torch.rand(count, 1, 1, 1, generator=generator) - 0.06
    return (pictures - 0.5) * contrast + 0.5 + brightness


def _add_noise(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """The pictures, half of them with faint or moderate noise."""
    strengths = torch.tensor([0.0, 0.0, 0.01, 0.03])
    picked = torch.randint(4, (len(pictures),), generator=generator)
    noise = torch.randn(pictures.shape, generator=generator)
    return (pictures + noise * strengths[picked].view(-1, 1, 1, 1)).clamp(0, 1)
