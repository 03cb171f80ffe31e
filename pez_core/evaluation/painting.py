"""The second phase: the pictures that a diffusion model paints from the prompts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..batch.results import Key, Record
from ..batch.work import Do, Item, Run, run_here
from ..compute.devices import find_device
from ..errors import PictureError, ResultsError
from ..painter.pipeline import Painter
from ..painter.settings import PainterSettings
from .folder import WAY_OUT, EvaluationFolder, png_file
from .plan import Plan, noise_seed
from .prompting import Pair


def to_paint(
    plan: Plan, folder: EvaluationFolder, prompted: Iterable[Pair], again: bool
) -> list[Record]:
    """The prompts of those pairs that are not painted yet, in order of the pictures; with `again`
    also those that failed or are lost.

    Raises ResultsError when a picture was painted from a prompt that differs from the saved one.
    """
    prompts = {method: folder.prompts[method].last() for method in plan.methods}
    painted, todo = folder.painted.last(), []
    for name, method in prompted:
        prompt = prompts[method][name]
        entry = {
            "picture": name, "method": method,
            "prompt": prompt["prompt"], "similarity": prompt["similarity"],
        }  # fmt: skip
        before = painted.get((name, method), {})
        if before.get("prompt", entry["prompt"]) != entry["prompt"]:
            raise ResultsError(
                f"{folder.painted.path} has {name} painted from another prompt of {method} "
                f"({before['prompt']!r:.40}, now {entry['prompt']!r:.40}): {WAY_OUT}"
            )
        images = [folder.path / image for image in before.get("images", ())]
        lost = again and not all(image.is_file() for image in images)
        if lost or folder.painted.todo([(name, method)], again):
            todo.append(entry)
    return todo


def paint_records(
    plan: Plan,
    folder: EvaluationFolder,
    todo: list[Record],
    run: Run = run_here,
) -> Iterator[Record]:
    """Paint the prompts of `todo`; saves the pictures, and saves and yields the record of each.
    Raises whatever `Painter` raises."""
    entries = {(entry["picture"], entry["method"]): entry for entry in todo}
    items = []
    for (name, method), entry in entries.items():
        seeds = [noise_seed(plan.job.seed, name, image) for image in range(plan.painter.images)]
        content = (entry["prompt"], seeds)
        items.append(Item((name, method), f"{name}, {method}", partial(_sent, content)))
    for pair, painted in run(PaintWork(plan.painter, plan.job.device), items):
        name, method = pair
        entry = entries[name, method]
        try:
            if isinstance(painted, PictureError):
                raise painted
            done = {**entry, **_saved(plan, folder, entry, painted)}
        except PictureError as error:
            done = {**entry, "error": str(error)}
        folder.painted.append(done)
        yield done


@dataclass(frozen=True)
class Painted:
    """The images of a prompt, as PNG files, and what made them. seeds: of their noise. size: width
    and height. about, device, precision: of the `Painter`."""

    images: list[bytes]
    seeds: list[int]
    size: list[int]
    about: dict[str, Any]
    device: str
    precision: str


@dataclass(frozen=True)
class PaintWork:
    """Painting as a `batch.work.Work`. The content of an item is a prompt and the seeds of its
    images; the result is `Painted`."""

    settings: PainterSettings
    device: str
    at_once: int = 1
    ahead: int = 0
    doing: str = "painting"

    def load(self) -> Do:
        painter = Painter(self.settings, find_device(self.device))

        def do(batch: Sequence[tuple[Key, Any]]) -> Iterator[tuple[Key, Any]]:
            for name, (prompt, seeds) in batch:
                try:
                    yield name, _painted(painter, prompt, seeds)
                except PictureError as error:
                    yield name, error

        return do


def _painted(painter: Painter, prompt: str, seeds: list[int]) -> Painted:
    images = []
    for number, seed in enumerate(seeds):
        try:
            image = painter.paint_one(prompt, seed)
        except PictureError as error:
            raise PictureError(f"image {number}: {error}") from error
        images.append(png_file(image))
    return Painted(
        images, seeds, list(image.size), painter.about, str(painter.device), painter.precision
    )


def _saved(plan: Plan, folder: EvaluationFolder, entry: Record, painted: Painted) -> dict[str, Any]:
    """Saves the images; the entries of their record."""
    paths = [
        folder.save(image, folder.image(entry["method"], entry["picture"], number))
        for number, image in enumerate(painted.images)
    ]
    request = plan.painting
    settings = {
        **request["settings"], "device": painted.device, "precision": painted.precision,
    }  # fmt: skip
    return {
        "images": paths, "seeds": painted.seeds,
        "painter": {**painted.about, "size": painted.size}, **request, "settings": settings,
    }  # fmt: skip


def _sent(content: tuple[str, list[int]]) -> tuple[tuple[str, list[int]], int]:
    return content, len(content[0])
