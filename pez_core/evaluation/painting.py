"""The second phase: the pictures that a diffusion model paints from the prompts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ..batch.results import Record
from ..compute.devices import find_device
from ..errors import PictureError, ResultsError
from ..painter.pipeline import Painter
from ..search.searcher import Callback
from .folder import WAY_OUT, EvaluationFolder
from .plan import Plan, noise_seed
from .prompting import Pair


def to_paint(
    plan: Plan, folder: EvaluationFolder, prompted: Iterable[Pair], again: bool
) -> list[Record]:
    """The prompts of those pairs that are not painted yet, in order of the pictures; with `again`
    also those that failed.

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
        if folder.painted.todo([(name, method)], again):
            todo.append(entry)
    return todo


def paint_records(
    plan: Plan, folder: EvaluationFolder, todo: list[Record], callback: Callback | None = None
) -> Iterator[Record]:
    """Paint the prompts of `todo`; saves the pictures, and saves and yields the record of each.
    Raises whatever `Painter` raises."""
    painter = Painter(plan.painter, find_device(plan.job.device))
    for entry in todo:
        try:
            done = {**entry, **_painted(plan, folder, painter, entry)}
        except PictureError as error:
            done = {**entry, "error": str(error)}
        folder.painted.append(done)
        yield done


def _painted(
    plan: Plan, folder: EvaluationFolder, painter: Painter, entry: Record
) -> dict[str, Any]:
    name, method = entry["picture"], entry["method"]
    seeds = [noise_seed(plan.job.seed, name, image) for image in range(plan.painter.images)]
    images = []
    for number, seed in enumerate(seeds):
        try:
            image = painter.paint_one(entry["prompt"], seed)
        except PictureError as error:
            raise PictureError(f"image {number}: {error}") from error
        images.append(folder.save(image, folder.image(method, name, number)))
    request = plan.painting
    device = {"device": str(painter.device), "precision": painter.precision}
    settings = {**request["settings"], **device}
    made_with = {**painter.about, "size": list(image.size)}
    return {
        "images": images, "seeds": seeds, "painter": made_with, **request, "settings": settings,
    }  # fmt: skip
