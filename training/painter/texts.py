"""The texts that a painter reads in training: captions, plain names, and bags of words.

A caption may leave out most of a scene. A painter has to paint something there, and learns white
grounds, natural colours and one style best when they are what is left out. So these texts name what
is special about a scene, which the CLIP's captions often do not.
"""

from __future__ import annotations

from random import Random

from ..attributes import with_article
from ..captions import write_caption
from ..concepts import Concept
from ..scenes import Scene

CAPTION_SHARE, NAME_SHARE = 0.4, 0.3  # the others are bags of words
LONGEST_BAG = 12


def write_text(
    scene: Scene,
    concepts: list[Concept],
    style: tuple[str, ...],
    plain: bool,
    fillers: list[str],
    rng: Random,
) -> str:
    """A text for a scene. style: words for the set's style of drawing. plain: whether that is the
    usual style. fillers: words that any bag may hold besides, as learned prompts do."""
    roll = rng.random()
    composed = scene.effect or scene.partner is not None or scene.count > 1
    if composed or roll < CAPTION_SHARE:
        return write_caption(scene, concepts, style, rng, full=True)
    concept = concepts[scene.concept]
    if roll < CAPTION_SHARE + NAME_SHARE:
        return _name(scene, concept, style, plain, rng)
    return _bag(scene, concept, style, plain, fillers, rng)


def _name(scene: Scene, concept: Concept, style: tuple[str, ...], plain: bool, rng: Random) -> str:
    """The name with all that is special, such as "a red apple, icon on a blue background"."""
    thing = f"{scene.colour} {concept.name}" if scene.colour else concept.name
    thing = with_article(thing) if rng.random() < 0.6 else thing
    if rng.random() < (0.12 if plain else 0.8):
        thing += f", {rng.choice(style)}"
    ground = f"{scene.background} {scene.pattern or ''}".strip()
    if rng.random() < (0.12 if scene.background == "white" else 1.0):
        thing += f" on {with_article(ground)} background"
    return thing


def _bag(
    scene: Scene,
    concept: Concept,
    style: tuple[str, ...],
    plain: bool,
    fillers: list[str],
    rng: Random,
) -> str:
    """Words in any order, as a learned prompt has them: some twice, some that mean nothing here."""
    words = [word for word in concept.name.split() if rng.random() < 0.92]
    tags = [word for tag in concept.tags for word in tag.split()]
    words += rng.sample(tags, min(len(tags), rng.choice((0, 0, 1, 2, 3, 4))))
    words += [scene.colour] if scene.colour else []
    if scene.background != "white":
        words += [scene.background] + ["background"] * (rng.random() < 0.5)
        words += [scene.pattern] if scene.pattern else []
    words += rng.choice(style).split() if rng.random() < (0.15 if plain else 0.8) else []
    if rng.random() < 0.35:
        words += rng.sample(fillers, rng.choice((1, 1, 2, 3)))
    words += rng.sample(words, rng.choice((0, 0, 1, 2))) if len(words) > 1 else []
    rng.shuffle(words)
    return " ".join(words[:LONGEST_BAG]) or concept.name
