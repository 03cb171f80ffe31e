"""Renders the pictures reserved for evaluation: sets of drawings that training never uses.

    python -m training.reserved --work DIR --out benchmarks/data

fxemoji (Apache-2.0) is written into the repository. OpenMoji (CC-BY-SA-4.0) is share-alike, so it
goes into the work folder only.
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from .composer import PICTURE_SIZE, PLAIN_SCALE
from .concepts import Concept, ConceptIndex, load_concepts
from .reserved_set import ReservedSet, save_reserved
from .sources import EMOJIBASE, source_by_key
from .sprites import Drawing, drawings_of, rasterise

log = logging.getLogger(__name__)

SET_SIZE = 300
SEED = 2302
OVERSAMPLING = 4


def on_background(
    drawing: Drawing, size: int, colour: tuple[int, int, int] = (255, 255, 255)
) -> Image.Image:
    """The drawing in the middle of a plain square, in the size of sprites on plain pictures."""
    sprite = rasterise(drawing, round(size * PLAIN_SCALE))
    picture = Image.new("RGBA", (size, size), (*colour, 255))
    margin = (size - sprite.width) // 2
    picture.alpha_composite(sprite, (margin, margin))
    return picture.convert("RGB")


def group_names(modules: Path) -> dict[int, str]:
    """emojibase's names of the emoji groups."""
    path = modules / EMOJIBASE[0] / "meta" / "groups.json"
    groups = json.loads(path.read_text(encoding="utf-8"))["groups"]
    return {int(number): name for number, name in groups.items()}


def choose(drawings: list[Drawing], count: int, seed: int) -> list[Drawing]:
    """`count` of the drawings in an order that depends on the seed only."""
    shuffled = sorted(drawings, key=lambda drawing: drawing.concept)
    Random(seed).shuffle(shuffled)
    return shuffled[:count]


def render_reserved(key: str, modules: Path, concepts: list[Concept]) -> ReservedSet:
    """A seeded choice of the drawings of the reserved source `key`, on white."""
    source = source_by_key(key)
    if source.role != "reserved":
        raise ValueError(f"{key!r} is trained on and cannot serve for evaluation")
    index = ConceptIndex(concepts, modules)
    chosen = choose(list(drawings_of(source, modules, index)), SET_SIZE, SEED)
    large = [on_background(drawing, PICTURE_SIZE * OVERSAMPLING) for drawing in chosen]
    small = [p.resize((PICTURE_SIZE, PICTURE_SIZE), Image.BICUBIC) for p in large]
    groups = group_names(modules)
    shown = [concepts[drawing.concept] for drawing in chosen]
    return ReservedSet(
        np.stack([np.asarray(p) for p in small]),
        [c.name for c in shown],
        [list(c.tags) for c in shown],
        [groups[c.group] for c in shown],
    )


def main() -> None:
    """Render fxemoji into --out and openmoji into the work folder, and list all names."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    modules = arguments.work / "npm" / "node_modules"
    concepts = load_concepts(modules)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for key, folder in (("fxemoji", arguments.out), ("openmoji", arguments.work)):
        reserved = render_reserved(key, modules, concepts)
        save_reserved(folder / f"{key}.npz", reserved)
        log.info("%s: %d pictures", key, len(reserved.names))
    names = sorted({concept.name for concept in concepts})
    (arguments.out / "names.txt").write_text("".join(f"{name}\n" for name in names))


if __name__ == "__main__":
    main()
