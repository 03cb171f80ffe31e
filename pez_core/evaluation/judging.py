"""The third phase: the judge's similarity of each picture to the pictures painted from its
prompts."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator
from pathlib import Path

from torch import Tensor

from ..batch.results import Record
from ..clip.image_tower import encode_pictures, load_image_tower
from ..clip.model_names import find_model
from ..compute.devices import find_device
from ..errors import PictureError
from ..pictures import open_picture
from ..search.searcher import Callback
from ..text.vocabulary import clip_vocabulary
from .folder import EvaluationFolder
from .plan import Plan
from .prompting import Pair


def to_judge(
    plan: Plan, folder: EvaluationFolder, wanted: Iterable[Pair], again: bool
) -> list[Record]:
    """The work for those pairs that have no result yet, in order of the pictures: the record of the
    painted pictures, or of an error in an earlier phase. It includes pairs whose earlier error is
    resolved, and with `again` pairs whose last result is an error."""
    prompts = {method: folder.prompts[method].last() for method in plan.methods}
    painted, results = folder.painted.last(), folder.results.last()
    todo = []
    for name, method in wanted:
        entry, phase = prompts[method][name], "prompt"
        if "error" not in entry:
            entry, phase = painted[name, method], "picture"
        result = results.get((name, method), {})
        resolved = "error" not in entry and result.get("phase") in ("prompt", "picture")
        if not result or resolved or (again and "error" in result):
            todo.append({**entry, "method": method, "phase": phase})
    return todo


def judge_records(
    plan: Plan, folder: EvaluationFolder, todo: list[Record], callback: Callback | None = None
) -> Iterator[Record]:
    """Judge the entries of `todo`; saves and yields the result of each. Raises whatever
    `load_image_tower` raises."""
    judge: Judge | None = None
    for entry in todo:
        pair = {"picture": entry["picture"], "method": entry["method"]}
        if "error" in entry:
            result = {**pair, "phase": entry["phase"], "error": entry["error"]}
        else:
            judge = judge or Judge(plan, folder)
            try:
                result = {**pair, **judge.result(entry)}
            except PictureError as error:
                result = {**pair, "phase": "judge", "error": str(error)}
        folder.results.append(result)
        yield result


class Judge:
    """The judge's image tower, loaded once, with the feature of the last original.

    Raises whatever `load_image_tower` raises.
    """

    def __init__(self, plan: Plan, folder: EvaluationFolder) -> None:
        self._plan, self._folder = plan, folder
        self._source, self._device = find_model(plan.judge), find_device(plan.job.device)
        self._towers = {
            part.name: load_image_tower(part).to(self._device) for part in self._source.parts
        }
        self._last: tuple[str, Tensor] | None = None

    def result(self, painted: Record) -> Record:
        """The result for a picture, from the record of its painted pictures. Raises PictureError
        when the original or a painted picture cannot be read."""
        original = self._original(painted["picture"])
        found = [self._feature(self._folder.path / path) for path in painted["images"]]
        cosines = [(original * feature).sum().item() for feature in found]
        request = self._plan.judging
        settings = {**request["settings"], "device": str(self._device)}
        return {
            "prompt": painted["prompt"],
            "tokens": len(clip_vocabulary().encode(painted["prompt"])),
            "similarity": painted["similarity"],
            "judge": statistics.fmean(cosines),
            "judged": cosines,
            "images": painted["images"],
            "seeds": painted["seeds"],
            "painter": painted["painter"],
            **request,
            "settings": settings,
        }

    def _original(self, name: str) -> Tensor:
        if self._last is None or self._last[0] != name:
            self._last = name, self._feature(self._plan.pictures / name)
        return self._last[1]

    def _feature(self, path: Path) -> Tensor:
        """The feature of a picture, encoded alone: in a batch the last bits would depend on the
        others."""
        picture = open_picture(path)
        return encode_pictures(
            self._source, [picture], self._device, lambda part: self._towers[part.name]
        )[0]
