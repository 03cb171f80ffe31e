"""The attributes of a scene besides its object: colours, patterns, effects, and the words for them.

Style words are single tokens of CLIP's vocabulary if one exists, so that a prompt search can reach
each of them in one step ("vintage", because "sepia" is two tokens).
"""

from __future__ import annotations

import zlib

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (220, 40, 40),
    "orange": (245, 140, 30),
    "yellow": (250, 220, 60),
    "green": (50, 165, 70),
    "teal": (20, 150, 150),
    "blue": (50, 110, 230),
    "navy": (20, 30, 90),
    "purple": (130, 60, 180),
    "pink": (245, 140, 190),
    "brown": (125, 80, 45),
    "gray": (140, 140, 140),
    "black": (15, 15, 15),
    "white": (252, 252, 252),
}
COLOUR_NAMES = tuple(COLOURS)
GLOWING = ("red", "orange", "yellow", "green", "blue", "purple", "pink")

PATTERNS = ("striped", "dotted", "gradient")

EFFECT_WORDS: dict[str, tuple[str, ...]] = {
    "pixel": ("pixel art", "pixel"),
    "sketch": ("line drawing", "sketch", "pencil sketch"),
    "silhouette": ("silhouette", "shadow silhouette"),
    "monochrome": ("monochrome", "monochrome photo", "black and white"),
    "blurry": ("blurry", "blurry photo"),
    "vintage": ("vintage", "vintage photo"),
    "neon": ("neon", "neon sign", "neon glow"),
    "negative": ("negative", "inverted negative"),
}
EFFECTS = tuple(EFFECT_WORDS)
COLOURLESS_EFFECTS = frozenset({"sketch", "monochrome", "vintage", "neon", "negative"})
"""Effects that hide the colours of the scene."""

COUNT_WORDS = {2: "two", 3: "three"}

CAPTION_STARTS = ("a picture of", "an image of", "an icon of", "a photo of", "an illustration of")
BACKGROUND_FORMS = ("on {a} background", "on {bare}", "{bare} background", "with {a} background")

NAME_TEMPLATES = ("{}", "an icon of {}", "a picture of {}")
"""The texts of a bare name when the model classifies a picture; `{}` includes its article."""


def with_article(words: str) -> str:
    """`words` after "a" or "an"."""
    return ("an " if words[:1] in "aeiou" else "a ") + words


def held_out(*parts: object) -> bool:
    """Whether a combination is one of the eighth that is never trained, to test composition."""
    return zlib.crc32("|".join(map(str, parts)).encode()) % 8 == 0


def colour_distance(a: str, b: str) -> float:
    """Sum over the three channels, each 0..1."""
    return sum(abs(x - y) for x, y in zip(COLOURS[a], COLOURS[b], strict=True)) / 255.0
