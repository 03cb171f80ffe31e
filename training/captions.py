"""Captions of a scene: sentences, lists of tags, and shuffled bags of words.

Bags of words are the most important kind. A hard prompt is a bag of words, and a model trained only
on sentences would separate the features of bags from those of sentences.
"""

from __future__ import annotations

from random import Random

from .attributes import (
    BACKGROUND_FORMS,
    CAPTION_STARTS,
    COUNT_WORDS,
    EFFECT_WORDS,
    with_article,
)
from .concepts import Concept
from .scenes import Scene

BAG_SHARE = 0.42
TAG_INSTEAD_OF_NAME = 0.06


def _object_words(scene: Scene, concepts: list[Concept], rng: Random, full: bool) -> str:
    """The object, or one of its tags, with its colour, number and second object."""
    concept = concepts[scene.concept]
    words = concept.name
    if not full and concept.tags and rng.random() < TAG_INSTEAD_OF_NAME:
        words = rng.choice(concept.tags)
    if scene.colour and scene.colours_visible and (full or rng.random() < 0.75):
        words = f"{scene.colour} {words}"
    if scene.count > 1:
        plural = "" if words.endswith("s") or rng.random() < 0.3 else "s"
        words = f"{COUNT_WORDS[scene.count]} {words}{plural}"
    return words


def _style_words(scene: Scene, style_words: tuple[str, ...], rng: Random, full: bool) -> str:
    """Words for the effect, or else sometimes for the set's style of drawing, or else none."""
    if scene.effect:
        return rng.choice(EFFECT_WORDS[scene.effect]) if full or rng.random() < 0.85 else ""
    if scene.partner is None and rng.random() < (0.45 if full else 0.3):
        return rng.choice(style_words)
    return ""


def _background_words(scene: Scene, rng: Random, full: bool) -> str:
    """Words for the background. White, the usual one, is seldom mentioned."""
    if not scene.colours_visible:
        return ""
    chance = 0.15 if scene.background == "white" else 0.55
    if full:
        chance = 0.4 if scene.background == "white" else 1.0
    if rng.random() >= chance:
        return ""
    return f"{scene.background} {scene.pattern}" if scene.pattern else scene.background


def _bag(parts: list[str], rng: Random) -> str:
    """The parts in random order, often split into single words."""
    if rng.random() < 0.5:
        parts = [word for part in parts for word in part.split()]
    rng.shuffle(parts)
    return (", " if rng.random() < 0.2 else " ").join(parts)


def _sentence(scene: Scene, thing: str, style: str, background: str, rng: Random) -> str:
    core = thing if scene.count > 1 or rng.random() < 0.3 else with_article(thing)
    if style:
        form = rng.random()
        if form < 0.5:
            core = f"{style} of {core}"
            core = with_article(core) if rng.random() < 0.6 else core
        else:
            core = f"{core}, {style}" if form < 0.75 else f"{core} in {style} style"
    elif rng.random() < 0.3:
        core = f"{rng.choice(CAPTION_STARTS)} {core}"
    if background:
        form = rng.choice(BACKGROUND_FORMS)
        core += " " if form[0] in "ow" else ", "
        core += form.format(a=with_article(background), bare=background)
    return core


def write_caption(
    scene: Scene,
    concepts: list[Concept],
    style_words: tuple[str, ...],
    rng: Random,
    full: bool = False,
    bag_share: float = BAG_SHARE,
) -> str:
    """A caption of `scene`. `full`: mention everything that distinguishes it from a similar scene.
    `bag_share`: the share of bags of words."""
    thing = _object_words(scene, concepts, rng, full)
    style = _style_words(scene, style_words, rng, full)
    background = _background_words(scene, rng, full)
    tags = concepts[scene.concept].tags
    other = concepts[scene.partner_concept].name if scene.partner_concept is not None else ""
    if rng.random() < bag_share:
        scenery = rng.choice((f"{background} background", background)) if background else ""
        some_tags = rng.sample(tags, min(len(tags), rng.choice((0, 0, 1, 2, 3))))
        return _bag([part for part in (thing, other, style, scenery, *some_tags) if part], rng)
    if other:
        thing = f"{thing} and {with_article(other)}"
    text = _sentence(scene, thing, style, background, rng)
    if tags and rng.random() < 0.12:
        text += ", " + ", ".join(rng.sample(tags, min(len(tags), rng.choice((1, 2, 3, 5)))))
    return text
