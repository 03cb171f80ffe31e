"""The two sets of pictures: drawings in a style that nothing here was trained on, and composed
scenes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image

from training.attributes import with_article
from training.reserved_set import load_reserved

from ..judge import RESERVED

SCENES = RESERVED.parent / "scenes.webp"
SIDE = 48  # pixels of a tile


@dataclass(frozen=True)
class PictureSet:
    """names: the objects shown. captions: all that is shown."""

    pictures: list[Image.Image]
    names: list[str]
    captions: list[str]


@cache
def picture_set(name: str) -> PictureSet:
    """`fxemoji`: 300 reserved drawings. `scenes`: 300 composed scenes. Or those of a file: an .npz
    of `training.reserved`, or a .webp of `training.painter.scene_set`."""
    path = {"fxemoji": RESERVED, "scenes": SCENES}.get(name) or Path(name)
    if path.suffix == ".npz":
        reserved = load_reserved(path)
        captions = [with_article(name) for name in reserved.names]
        return PictureSet([Image.fromarray(i) for i in reserved.images], reserved.names, captions)
    rows = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    with Image.open(path) as sheet:
        columns = sheet.width // SIDE
        tiles = [
            sheet.crop((x * SIDE, y * SIDE, (x + 1) * SIDE, (y + 1) * SIDE)).convert("RGB")
            for y, x in (divmod(number, columns) for number in range(len(rows)))
        ]
    return PictureSet(tiles, [row["name"] for row in rows], [row["caption"] for row in rows])


SETS = ("fxemoji", "scenes")
DATA: Path = SCENES.parent
