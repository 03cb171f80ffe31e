"""Composes the scenes that benchmarks paint again.

    python -m training.painter.scene_set --drawings DIR/drawings.zip \\
        --out benchmarks/data/scenes.webp

Their objects are drawings that were trained on, with backgrounds, colours and effects. The pictures
are tiles of one lossless sheet; names and captions are in a JSON file beside it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from random import Random

import torch
from PIL import Image

from ..captions import write_caption
from ..scenes import RICH_ODDS, draw_scene
from .pool import Studio, shrunk

COUNT, COLUMNS = 300, 20
SIDE = 48  # pixels of a tile, as the painter paints them


def main() -> None:
    """Write the sheet and the captions."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--drawings", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", default="scene set")
    arguments = parser.parse_args()
    studio, rng = Studio(arguments.drawings), Random(arguments.seed)
    maker = studio.maker
    scenes = []
    for _ in range(COUNT):
        first, other = studio.scene(rng), studio.scene(rng)
        partner = (other.sprite, other.concept)
        mono = maker.mono[first.sprite]
        scenes.append(draw_scene(first.sprite, first.concept, mono, RICH_ODDS, rng, partner))
    generator = torch.Generator().manual_seed(rng.getrandbits(48))
    pictures = maker.composer.paint(scenes, rng, generator, plain=True)
    tiles = shrunk(pictures, SIDE).permute(0, 2, 3, 1).numpy()
    sheet = Image.new("RGB", (COLUMNS * SIDE, COUNT // COLUMNS * SIDE))
    for number, tile in enumerate(tiles):
        row, column = divmod(number, COLUMNS)
        sheet.paste(Image.fromarray(tile), (column * SIDE, row * SIDE))
    sheet.save(arguments.out, "WEBP", lossless=True, quality=100, method=6)
    rows = [
        {
            "name": maker.concepts[scene.concept].name,
            "caption": write_caption(
                scene, maker.concepts, maker.style_words[scene.sprite], rng, full=True, bag_share=0
            ),
        }
        for scene in scenes
    ]
    text = json.dumps(rows, indent=0, ensure_ascii=False) + "\n"
    arguments.out.with_suffix(".json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
