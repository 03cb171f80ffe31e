"""Painted pictures as PNG files that say how they were painted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ..batch.whole_file import whole_file

if TYPE_CHECKING:
    from .pipeline import Painter

LEAST_SIDE = 192  # of a saved picture: smaller ones are enlarged by a whole number


def save_painted(image: Image.Image, path: Path, painter: Painter, prompt: str, seed: int) -> None:
    """Saves a picture with its prompt and settings in the form of A1111, as the text `parameters`,
    which ComfyUI and other programs read. Raises OSError; then nothing is left of the file."""
    settings = painter.settings
    parameters = {
        "Steps": settings.steps,
        "Sampler": painter.about["scheduler"],
        "CFG scale": f"{settings.guidance:g}",
        "Seed": seed,
        "Size": f"{image.width}x{image.height}",
        "Model": painter.about["pipeline"],
    }
    line = ", ".join(f"{name}: {value}" for name, value in parameters.items())
    info = PngInfo()
    info.add_itxt("parameters", f"{prompt}\n{line}")
    with whole_file(path) as file:
        enlarged(image).save(file, "PNG", pnginfo=info)


def enlarged(image: Image.Image, least: int = LEAST_SIDE) -> Image.Image:
    """A picture whose shorter side has at least `least` pixels, enlarged by a whole factor."""
    factor = -(-least // min(image.size))
    if factor <= 1:
        return image
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.LANCZOS)
