"""Painted pictures as PNG files that say how they were painted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ..batch.results import reported_file

if TYPE_CHECKING:
    from .pipeline import Painter

LEAST_SIDE = 192  # of a saved picture: smaller ones are enlarged by a whole number


def save_painted(image: Image.Image, path: Path, painter: Painter, prompt: str, seed: int) -> None:
    """Saves a picture with its prompt and settings in the form of A1111, as the text `parameters`,
    which ComfyUI and other programs read. Raises ResultsError; then nothing is left of the file."""
    settings = painter.settings
    parameters = {
        "Steps": settings.steps,
        "Sampler": painter.about["scheduler"],
        "CFG scale": f"{settings.guidance:g}",
        "Seed": seed,
        "Size": f"{image.width}x{image.height}",
        "Model": _quoted(painter.about["pipeline"]),
    }
    line = ", ".join(f"{name}: {value}" for name, value in parameters.items())
    # ComfyUI looks for the negative prompt, even for an empty one.
    save_png(enlarged(image), path, f"{prompt}\nNegative prompt: \n{line}")


def save_png(image: Image.Image, path: Path, parameters: str) -> None:
    """Saves a picture with the text `parameters`. Raises ResultsError; then nothing is left of the
    file."""
    info = PngInfo()
    info.add_text("parameters", parameters)
    with reported_file(path) as file:
        image.save(file, "PNG", pnginfo=info)


def _quoted(value: str) -> str:
    """A value as A1111 writes it: in quotes if it contains what separates values."""
    return json.dumps(value, ensure_ascii=False) if any(c in value for c in ",:\n") else value


def enlarged(image: Image.Image, least: int = LEAST_SIDE) -> Image.Image:
    """A picture whose shorter side has at least `least` pixels, enlarged by a whole factor."""
    factor = -(-least // min(image.size))
    if factor <= 1:
        return image
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.LANCZOS)
