"""Tests an exported model on colours, effects and numbers in combinations that it was not trained
on.

    python -m training.probes --work DIR --model pez_core/demo_model

The sprites were trained on; the combinations of concept and attribute are those of `held_out`. The
captions of the alternatives differ only in the attribute's word.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch

from .attributes import (
    COLOUR_NAMES,
    COUNT_WORDS,
    EFFECT_WORDS,
    EFFECTS,
    held_out,
    with_article,
)
from .batches import BatchMaker
from .evaluate import ExportedModel
from .scenes import Scene, settle

PROBE_SIZE = 200
SEED = 77


@dataclass(frozen=True)
class Question:
    """A scene, the captions to choose from, and the right one's index."""

    scene: Scene
    captions: list[str]
    answer: int


Asker = Callable[[int, int, str, Random], "Question | None"]


def ask_background(sprite: int, concept: int, name: str, rng: Random) -> Question | None:
    """Which colour is the background?"""
    open_ = [c for c in COLOUR_NAMES if c != "white" and held_out(concept, "background", c)]
    if not open_:
        return None
    colour = rng.choice(open_)
    captions = [f"{with_article(name)} on {with_article(c)} background" for c in COLOUR_NAMES]
    return Question(Scene(sprite, concept, background=colour), captions, COLOUR_NAMES.index(colour))


def ask_colour(sprite: int, concept: int, name: str, rng: Random) -> Question | None:
    """Which colour is the object?"""
    left_out = ("white", "black", "gray")
    open_ = [c for c in COLOUR_NAMES if c not in left_out and held_out(concept, "colour", c)]
    if not open_:
        return None
    colour = rng.choice(open_)
    captions = [with_article(f"{c} {name}") for c in COLOUR_NAMES]
    scene = settle(Scene(sprite, concept, colour=colour), False, rng)
    return Question(scene, captions, COLOUR_NAMES.index(colour))


def ask_effect(sprite: int, concept: int, name: str, rng: Random) -> Question | None:
    """Which effect does the picture have?"""
    open_ = [e for e in EFFECTS if held_out(concept, "effect", e)]
    if not open_:
        return None
    effect = rng.choice(open_)
    captions = [f"{EFFECT_WORDS[e][0]} of {with_article(name)}" for e in EFFECTS]
    scene = settle(Scene(sprite, concept, effect=effect), False, rng)
    return Question(scene, captions, EFFECTS.index(effect))


def ask_count(sprite: int, concept: int, name: str, rng: Random) -> Question | None:
    """How many are there?"""
    count = rng.choice((1, *COUNT_WORDS))
    captions = [with_article(name), *(f"{word} {name}s" for word in COUNT_WORDS.values())]
    return Question(Scene(sprite, concept, count=count), captions, count - 1)


PROBES: dict[str, Asker] = {
    "background colour": ask_background,
    "object colour": ask_colour,
    "effect": ask_effect,
    "number": ask_count,
}


def run_probe(model: ExportedModel, maker: BatchMaker, ask: Asker, rng: Random) -> float:
    """The share of questions with the right answer."""
    coloured = [
        (sprite, concept)
        for concept, sprites in enumerate(maker.sprites_of)
        for sprite in sprites
        if not maker.mono[sprite]
    ]
    questions: list[Question] = []
    while len(questions) < PROBE_SIZE:
        sprite, concept = rng.choice(coloured)
        question = ask(sprite, concept, maker.concepts[concept].name, rng)
        if question is not None:
            questions.append(question)
    generator = torch.Generator().manual_seed(SEED)
    scenes = [question.scene for question in questions]
    pictures = maker.composer.paint(scenes, rng, generator, plain=True)
    images = (pictures * 255).round().byte().permute(0, 2, 3, 1).numpy()
    features = model.encode_pictures(images)
    texts = model.encode_texts([c for question in questions for c in question.captions])
    texts = texts.view(len(questions), -1, texts.shape[1])
    chosen = torch.einsum("nd,ncd->nc", features, texts).argmax(1)
    answers = torch.tensor([question.answer for question in questions])
    return (chosen == answers).float().mean().item()


def main() -> None:
    """Print the share of right answers for every attribute."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    arguments = parser.parse_args()
    model = ExportedModel(arguments.model)
    maker = BatchMaker.from_cache(arguments.work / "cache", distinct_share=1.0)
    for what, ask in PROBES.items():
        print(f"{what:18s} {100 * run_probe(model, maker, ask, Random(SEED)):.1f} %")


if __name__ == "__main__":
    main()
