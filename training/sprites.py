"""Renders every drawing once, as a 72x72 RGBA sprite, into a cache outside the repository."""

from __future__ import annotations

import argparse
import io
import json
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from PIL import Image

from .concepts import Concept, ConceptIndex, load_concepts
from .sources import SOURCES, Source

log = logging.getLogger(__name__)

SPRITE_SIZE = 72
MIN_INK = 0.02
"""The smallest share of visible pixels; emptier sprites are useless for training."""


@dataclass(frozen=True)
class Drawing:
    """A drawing before it is rendered: `svg` text, or the `path` of a picture."""

    source: str
    concept: int
    name: str
    svg: str = ""
    path: str = ""


def icon_svg(icon: dict, defaults: dict) -> str:
    """A complete SVG document of the body of an Iconify icon, with `currentColor` as black."""
    left, top = icon.get("left", 0), icon.get("top", 0)
    width = icon.get("width", defaults.get("width", 16))
    height = icon.get("height", defaults.get("height", 16))
    body = icon["body"].replace("currentColor", "#000")
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{left} {top} {width} {height}" width="{width}" height="{height}">{body}</svg>'
    )


def drawings_of(source: Source, modules: Path, index: ConceptIndex) -> Iterator[Drawing]:
    """Every drawing of `source` that shows a known concept."""
    if source.kind == "webp":
        for path in sorted((modules / source.package / "assets").glob("*.webp")):
            concept = index.of_hexcode(path.stem)
            if concept is not None:
                yield Drawing(source.key, concept, path.stem, path=str(path))
        return
    icons = json.loads((modules / source.package / "icons.json").read_text(encoding="utf-8"))
    taken: set[int] = set()
    for name, icon in icons["icons"].items():
        if source.kind == "icon":
            concept = index.of_icon_name(name)
        else:
            # Emoji sets have one drawing per concept; further ones are skin tones and variants.
            concept = index.of_emoji_name(name)
            concept = None if concept in taken else concept
        if concept is not None:
            taken.add(concept)
            yield Drawing(source.key, concept, name, svg=icon_svg(icon, icons))


def rasterise(drawing: Drawing, size: int) -> Image.Image:
    """The drawing as an RGBA picture that fits a transparent `size` x `size` square."""
    if drawing.path:
        picture = Image.open(drawing.path).convert("RGBA")
    else:
        import resvg_py  # only who renders needs it

        # dpi: without it resvg refuses drawings whose size is given in mm or pt.
        data = resvg_py.svg_to_bytes(
            svg_string=drawing.svg, width=size, dpi=96, skip_system_fonts=True
        )
        picture = Image.open(io.BytesIO(bytes(data))).convert("RGBA")
    scale = size / max(picture.size)
    if scale != 1:
        fitted = tuple(max(1, round(side * scale)) for side in picture.size)
        # Premultiplied alpha ("RGBa"): otherwise transparent black would bleed into the borders.
        picture = picture.convert("RGBa").resize(fitted, Image.LANCZOS).convert("RGBA")
    square = Image.new("RGBA", (size, size))
    square.paste(picture, ((size - picture.width) // 2, (size - picture.height) // 2))
    return square


def _sprite(drawing: Drawing) -> np.ndarray | None:
    try:
        pixels = np.asarray(rasterise(drawing, SPRITE_SIZE))
    except (ValueError, OSError) as error:
        log.warning("%s/%s cannot be rendered: %s", drawing.source, drawing.name, error)
        return None
    return pixels if (pixels[..., 3] > 40).mean() >= MIN_INK else None


def render_training_set(modules: Path, cache: Path, processes: int) -> None:
    """Write sprites.npy (N, 72, 72, 4) uint8 and sprites.json into `cache`."""
    concepts = load_concepts(modules)
    index = ConceptIndex(concepts, modules)
    drawings = [
        drawing
        for source in SOURCES
        if source.role == "train"
        for drawing in drawings_of(source, modules, index)
    ]
    with Pool(processes) as pool:
        rendered = pool.map(_sprite, drawings, chunksize=64)
    kept = [(pixels, d) for pixels, d in zip(rendered, drawings, strict=True) if pixels is not None]
    cache.mkdir(parents=True, exist_ok=True)
    np.save(cache / "sprites.npy", np.stack([pixels for pixels, _ in kept]))
    rows = {
        "concepts": [vars(c) for c in concepts],
        "sprites": [{"source": d.source, "concept": d.concept} for _, d in kept],
    }
    (cache / "sprites.json").write_text(json.dumps(rows), encoding="utf-8")
    log.info(
        "%d of %d drawings rendered: %s",
        len(kept),
        len(drawings),
        dict(Counter(d.source for _, d in kept)),
    )


def load_cache(cache: Path) -> tuple[np.ndarray, list[Concept], list[str], list[int]]:
    """Pixels (N, 72, 72, 4), all concepts, and each sprite's source key and concept index."""
    rows = json.loads((cache / "sprites.json").read_text(encoding="utf-8"))
    concepts = [Concept(**{**row, "tags": tuple(row["tags"])}) for row in rows["concepts"]]
    sources = [row["source"] for row in rows["sprites"]]
    shown = [row["concept"] for row in rows["sprites"]]
    return np.load(cache / "sprites.npy"), concepts, sources, shown


def main() -> None:
    """Render all training sprites."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder with npm/node_modules")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    modules = arguments.work / "npm" / "node_modules"
    render_training_set(modules, arguments.work / "cache", arguments.processes)


if __name__ == "__main__":
    main()
