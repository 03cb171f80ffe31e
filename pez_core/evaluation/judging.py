"""The third phase: the judge's similarity of each picture to the pictures painted from its
prompts."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from torch import Tensor

from ..batch.results import Key, Record
from ..batch.work import Do, Item, Run, run_here
from ..clip.image_tower import encode_pictures, load_image_tower
from ..clip.model_names import find_model
from ..compute.devices import find_device
from ..errors import PictureError
from ..pictures import decode_picture, read_picture
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
    plan: Plan,
    folder: EvaluationFolder,
    todo: list[Record],
    run: Run = run_here,
) -> Iterator[Record]:
    """Judge the entries of `todo`; saves and yields the result of each. Raises whatever
    `load_image_tower` raises."""
    entries, items = {}, []
    for entry in todo:
        if "error" in entry:
            yield _kept(folder, entry, {"phase": entry["phase"], "error": entry["error"]})
            continue
        pair = (entry["picture"], entry["method"])
        entries[pair] = entry
        paths = [plan.pictures / entry["picture"], *(folder.path / p for p in entry["images"])]
        items.append(Item(pair, ", ".join(pair), partial(_files, paths)))
    if not items:
        return  # so that no model is loaded
    for name, judged in run(JudgeWork(plan.judge, plan.job.device), items):
        entry = entries[name]
        if isinstance(judged, PictureError):
            result = {"phase": "judge", "error": str(judged)}
        else:
            result = _result(plan, entry, *judged)
        yield _kept(folder, entry, result)


def _files(paths: list[Path]) -> tuple[list[tuple[bytes, str]], int]:
    """The contents of picture files with their paths, and their size."""
    files = [(read_picture(path), str(path)) for path in paths]
    return files, sum(len(data) for data, _ in files)


def _kept(folder: EvaluationFolder, entry: Record, result: Record) -> Record:
    whole = {"picture": entry["picture"], "method": entry["method"], **result}
    folder.results.append(whole)
    return whole


def _result(plan: Plan, painted: Record, cosines: list[float], device: str) -> Record:
    """The result for a picture, from the record of its painted pictures."""
    request = plan.judging
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
        "settings": {**request["settings"], "device": device},
    }


@dataclass(frozen=True)
class JudgeWork:
    """Judging as a `batch.work.Work`. The content of an item is the original's file and those of
    its painted pictures, with their paths for messages. The result is the painted pictures' cosines
    with the original, and the device."""

    judge: str
    device: str
    at_once: int = 1
    ahead: int = 0
    doing: str = "judging"

    def load(self) -> Do:
        source, device = find_model(self.judge), find_device(self.device)
        towers = {part.name: load_image_tower(part).to(device) for part in source.parts}

        def feature(file: tuple[bytes, str]) -> Tensor:
            """The feature of a picture, encoded alone: in a batch the last bits would depend on the
            others."""
            picture = decode_picture(*file)
            return encode_pictures(source, [picture], device, lambda part: towers[part.name])[0]

        # An original comes several times in a row, once for each method.
        feature_of_original = lru_cache(maxsize=1)(feature)

        def do(batch: Sequence[tuple[Key, Any]]) -> Iterator[tuple[Key, Any]]:
            for name, (original_file, *painted) in batch:
                try:
                    original = feature_of_original(original_file)
                    cosines = [(original * feature(file)).sum().item() for file in painted]
                except PictureError as error:
                    yield name, error
                    continue
                yield name, (cosines, str(device))

        return do
