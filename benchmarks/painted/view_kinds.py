"""Kinds of changed views of a picture, which count beside it as the target of a search.

A kind makes views of an RGB picture. number: that of the picture, for kinds that draw lots.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from ..quality.transfer import view

Picture = Image.Image
BICUBIC = Image.Resampling.BICUBIC
mirrored = ImageOps.mirror


def edge_colour(picture: Picture) -> tuple[int, ...]:
    """The median colour of the border."""
    rim = np.asarray(picture.resize((16, 16)))
    rim = np.concatenate([rim[0], rim[-1], rim[:, 0], rim[:, -1]])
    return tuple(int(value) for value in np.median(rim, axis=0))


def cropped(picture: Picture, x: float, y: float) -> Picture:
    """85 % of each side, enlarged. x, y: where it is cut out, from 0 to 1."""
    width, height = picture.size
    left, top = 0.15 * width * x, 0.15 * height * y
    box = (left, top, left + 0.85 * width, top + 0.85 * height)
    return picture.resize(picture.size, BICUBIC, box=box)


def shrunk(picture: Picture, size: float, x: float, y: float, reflected: bool = False) -> Picture:
    """Smaller. x, y: where it stands, from 0 to 1. Around it is the colour of its edge, or its
    reflection."""
    width, height = picture.size
    small = picture.resize((round(width * size), round(height * size)), BICUBIC)
    left, top = round((width - small.width) * x), round((height - small.height) * y)
    if reflected:
        right, below = width - small.width - left, height - small.height - top
        room = ((top, below), (left, right), (0, 0))
        return Image.fromarray(np.pad(np.asarray(small), room, mode="reflect"))
    paper = Image.new("RGB", picture.size, edge_colour(picture))
    paper.paste(small, (left, top))
    return paper


def shifted(picture: Picture, x: int, y: int) -> Picture:
    """Moved by 15 % of a side. x, y: −1 or 1."""
    width, height = picture.size
    room = round(0.15 * width)
    padded = np.pad(np.asarray(picture), ((room, room), (room, room), (0, 0)), mode="edge")
    left, top = room - x * room, room - y * room
    return Image.fromarray(padded[top : top + height, left : left + width])


def turned(picture: Picture, degrees: int) -> Picture:
    return picture.rotate(degrees, BICUBIC, fillcolor=edge_colour(picture))


def toned(picture: Picture, brightness: float, colour: float) -> Picture:
    picture = ImageEnhance.Brightness(picture).enhance(brightness)
    return ImageEnhance.Color(picture).enhance(colour)


def blurred(picture: Picture) -> Picture:
    return picture.filter(ImageFilter.GaussianBlur(0.6 * picture.width / 64))


def _shrunk(p: Picture, reflected: bool = False) -> list[Picture]:
    return [
        shrunk(p, 0.85, 0, 0, reflected), mirrored(shrunk(p, 0.75, 1, 0, reflected)),
        shrunk(p, 0.8, 1, 1, reflected), mirrored(shrunk(p, 0.75, 0, 1, reflected)),
    ]  # fmt: skip


def _drawn(picture: Picture, number: int) -> list[Picture]:
    rng = random.Random(number)
    return [view(picture, rng) for _ in range(4)]


VIEW_KINDS: dict[str, Callable[[Picture, int], list[Picture]]] = {
    "mirrored": lambda p, _: [mirrored(p)],
    "cropped": lambda p, _: [
        cropped(p, 0, 0), mirrored(cropped(p, 1, 0)), cropped(p, 1, 1), mirrored(cropped(p, 0, 1)),
    ],
    "shifted": lambda p, _: [
        shifted(p, -1, -1), mirrored(shifted(p, 1, -1)),
        shifted(p, 1, 1), mirrored(shifted(p, -1, 1)),
    ],
    "turned": lambda p, _: [
        turned(p, 8), turned(p, -8), mirrored(turned(p, 8)), mirrored(turned(p, -8)),
    ],
    "toned": lambda p, _: [
        toned(p, 0.85, 0.8), toned(p, 1.15, 1.2),
        mirrored(toned(p, 0.9, 1.25)), mirrored(toned(p, 1.1, 0.75)),
    ],
    "blurred": lambda p, _: [blurred(p), mirrored(blurred(p))],
    "smaller": lambda p, _: [
        shrunk(p, size, 0.5, 0.5) for size in (0.85, 0.75, 0.8)
    ] + [mirrored(shrunk(p, 0.75, 0.5, 0.5))],
    "smaller and elsewhere": lambda p, _: _shrunk(p),
    "smaller and elsewhere, reflected": lambda p, _: _shrunk(p, reflected=True),
    "everything at once, on white": _drawn,
}  # fmt: skip
"""By kind; the last is that of quality/transfer.py."""
