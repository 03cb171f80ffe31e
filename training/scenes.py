"""The content of a training picture: an object with colour, background, effect and second object.

A scene is only a description. `composer` paints it and `captions` writes its captions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from .attributes import (
    COLOUR_NAMES,
    COLOURLESS_EFFECTS,
    EFFECTS,
    PATTERNS,
    colour_distance,
    held_out,
)

MIN_CONTRAST = 0.9
"""Colour distance below which an object is not visible on its background."""


@dataclass(frozen=True)
class Scene:
    """The content of one picture. `sprite` and `partner` index the sprite cache."""

    sprite: int
    concept: int
    colour: str | None = None
    background: str = "white"
    pattern: str | None = None
    effect: str | None = None
    partner: int | None = None
    partner_concept: int | None = None
    count: int = 1

    @property
    def colours_visible(self) -> bool:
        """Whether a caption may mention colours."""
        return self.effect not in COLOURLESS_EFFECTS

    def key(self) -> tuple:
        """The attributes that distinguish this scene's caption from others of its concept."""
        seen = (self.background, self.pattern, self.colour) if self.colours_visible else ()
        return (self.effect, self.partner_concept, self.count, *seen)


@dataclass(frozen=True)
class SceneOdds:
    """The probability of each attribute. Groups of similar scenes use the higher ones."""

    background: float = 0.55
    colour: float = 0.09
    effect: float = 0.11
    partner: float = 0.07
    count: float = 0.05
    pattern: float = 0.15


PLAIN_ODDS = SceneOdds()
RICH_ODDS = SceneOdds(background=0.75, colour=0.22, effect=0.36, partner=0.16, count=0.10)


def draw_scene(
    sprite: int,
    concept: int,
    mono: bool,
    odds: SceneOdds,
    rng: Random,
    partner: tuple[int, int] | None,
) -> Scene:
    """A random scene around `sprite`. `partner`: (sprite, concept) of a possible second object."""
    scene = Scene(sprite, concept)
    if rng.random() < odds.background:
        scene = replace(scene, background=rng.choice(COLOUR_NAMES))
    roll = rng.random()
    if roll < odds.colour:
        scene = replace(scene, colour=rng.choice(COLOUR_NAMES))
    elif (roll := roll - odds.colour) < odds.effect:
        scene = replace(scene, effect=rng.choice(EFFECTS))
    elif (roll := roll - odds.effect) < odds.partner and partner and partner[1] != concept:
        scene = replace(scene, partner=partner[0], partner_concept=partner[1])
    elif (roll := roll - odds.partner) < odds.count:
        scene = replace(scene, count=rng.choice((2, 3)))
    if mono and scene.colour is None and scene.effect is None and rng.random() < 0.6:
        scene = replace(scene, colour=rng.choice(COLOUR_NAMES))
    return settle(_without_held_out(scene), mono, rng, odds.pattern)


def _without_held_out(scene: Scene) -> Scene:
    """`scene` without the combinations that are reserved for evaluation."""
    what = scene.concept
    if scene.colour and held_out(what, "colour", scene.colour):
        scene = replace(scene, colour=None)
    if scene.effect and held_out(what, "effect", scene.effect):
        scene = replace(scene, effect=None)
    if scene.background != "white" and held_out(what, "background", scene.background):
        scene = replace(scene, background="white")
    return scene


def settle(scene: Scene, mono: bool, rng: Random, pattern_odds: float = 0.0) -> Scene:
    """`scene` made consistent: a visible object, and no colour that the effect would hide."""
    effect, colour, background = scene.effect, scene.colour, scene.background
    if effect == "silhouette" or mono:
        colour = colour or "black"
    if effect in COLOURLESS_EFFECTS and not mono:
        colour = None
    if effect in ("sketch", "neon"):
        background = "white"
    if colour and colour_distance(colour, background) < MIN_CONTRAST:
        background = "white" if colour_distance(colour, "white") >= MIN_CONTRAST else "black"
    pattern = scene.pattern
    plain = background in ("white", "black") or scene.partner is not None
    if not plain and not effect and rng.random() < pattern_odds:
        pattern = rng.choice(PATTERNS)
    return replace(scene, colour=colour, background=background, pattern=pattern)
