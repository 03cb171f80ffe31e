"""Packs the rendered drawings into one small file, from which a painter can be trained anywhere.

    python -m training.painter.drawings --work DIR --out DIR/drawings.zip

The file has a WebP picture (72x72, with alpha) for each sprite and `sprites.json`, which names
their concepts and sources: below 20 MB in all.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from ..concepts import Concept
from ..sources import source_by_key
from ..sprites import load_cache

log = logging.getLogger(__name__)

QUALITY = 80  # of WebP: 18 MB; lossless takes 26 MB


def pack(cache: Path, out: Path) -> None:
    """Write the sprites of a cache. It never leaves an incomplete file."""
    pixels, _, _, _ = load_cache(cache)
    part = out.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        archive.write(cache / "sprites.json", "sprites.json", zipfile.ZIP_DEFLATED)
        for number, sprite in enumerate(pixels):
            data = io.BytesIO()
            Image.fromarray(sprite).save(data, "WEBP", quality=QUALITY, method=6, alpha_quality=90)
            archive.writestr(f"{number}.webp", data.getvalue())
    os.replace(part, out)
    log.info("%d drawings, %.1f MB", len(pixels), out.stat().st_size / 1e6)


def unpack(path: Path) -> tuple[np.ndarray, list[Concept], list[str], list[int]]:
    """What `sprites.load_cache` returns: pixels (N, 72, 72, 4), concepts, source keys, and the
    concept of each sprite. Raises ValueError for a reserved set."""
    with zipfile.ZipFile(path) as archive:
        rows = json.loads(archive.read("sprites.json"))
        sprites = rows["sprites"]
        pictures = [
            np.asarray(Image.open(io.BytesIO(archive.read(f"{number}.webp"))).convert("RGBA"))
            for number in range(len(sprites))
        ]
    concepts = [Concept(**{**row, "tags": tuple(row["tags"])}) for row in rows["concepts"]]
    keys = [row["source"] for row in sprites]
    for key in set(keys):
        if source_by_key(key).role != "train":
            raise ValueError(f"{path} has drawings of {key}, which is reserved for evaluation")
    return np.stack(pictures), concepts, keys, [row["concept"] for row in sprites]


def main() -> None:
    """Pack the sprites that training.sprites has rendered."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder with the sprite cache")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    pack(arguments.work / "cache", arguments.out)


if __name__ == "__main__":
    main()
