"""Renders the example pictures of the repository from fxemoji (Apache-2.0, Mozilla).

python -m training.examples --work DIR --out examples
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from .attributes import COLOURS
from .concepts import ConceptIndex, load_concepts
from .reserved import on_background
from .sources import source_by_key
from .sprites import drawings_of

SIZE = 384


@dataclass(frozen=True)
class Example:
    """One example picture: its file name, the emoji it shows, and its background."""

    file: str
    name: str
    background: tuple[int, int, int] = (255, 255, 255)


EXAMPLES = (
    Example("pizza.png", "pizza"),
    Example("penguin.png", "penguin"),
    Example("strawberry.png", "strawberry"),
    Example("watermelon.png", "watermelon"),
    Example("elephant.png", "elephant"),
    Example("christmas_tree.png", "christmas tree"),
    Example("balloon_on_yellow.png", "balloon", COLOURS["yellow"]),
    Example("ghost_on_blue.png", "ghost", COLOURS["blue"]),
)


def main() -> None:
    """Render all example pictures."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    modules = arguments.work / "npm" / "node_modules"
    concepts = load_concepts(modules)
    drawings = drawings_of(source_by_key("fxemoji"), modules, ConceptIndex(concepts, modules))
    by_name = {concepts[drawing.concept].name: drawing for drawing in drawings}
    arguments.out.mkdir(parents=True, exist_ok=True)
    for example in EXAMPLES:
        picture = on_background(by_name[example.name], SIZE, example.background)
        # A palette keeps flat drawings small without a visible loss.
        picture.quantize(192).save(arguments.out / example.file, optimize=True)


if __name__ == "__main__":
    main()
