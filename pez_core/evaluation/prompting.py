"""The first phase: a prompt of each method for each picture, with the guide's similarity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import starmap

from ..batch.inverter import Inverter, Picture, SearchWork, opened, picture_item, record_of
from ..batch.results import Record, error_record
from ..batch.work import Run
from ..errors import PictureError, ResultsError, TargetError
from ..pictures import open_picture
from ..search.searcher import Callback
from .folder import WAY_OUT, EvaluationFolder
from .plan import Plan

Pair = tuple[str, str]  # picture and method


def to_prompt(
    plan: Plan, folder: EvaluationFolder, wanted: Iterable[Pair], again: bool
) -> list[Pair]:
    """The wanted pairs that have no saved prompt; with `again` also those with an error.

    Raises ResultsError when a caption differs from the saved one.
    """
    for method, captions in plan.captions.items():
        for name, record in folder.prompts[method].last().items():
            kept, now = record.get("prompt"), captions.get(name)
            if kept is not None and now is not None and kept != now:
                raise ResultsError(
                    f"{folder.path} holds another caption of {method} for {name} ({kept!r:.40}, "
                    f"now {now!r:.40}): {WAY_OUT}"
                )
    return [(name, m) for name, m in wanted if folder.prompts[m].todo([name], again)]


def prompt_records(
    plan: Plan,
    folder: EvaluationFolder,
    todo: list[Pair],
    concurrency: int,
    run: Run | None,
    callback: Callback | None,
) -> Iterator[Record]:
    """Find the prompts of `todo`: first those of the optimizers, one after the other, then the
    captions. Saves and yields each record. Raises whatever `Inverter` raises.

    run: where the optimizers search, if not here. Captions are scored here.
    """
    guide: Inverter | None = None
    for method in plan.methods:
        names = [name for name, m in todo if m == method]
        if not names:
            continue
        records: Iterator[Record]
        if run is not None and method in plan.optimizers:
            items = [picture_item(name, plan.pictures / name) for name in names]
            found = run(SearchWork(plan.job_of(method), concurrency), items)
            records = starmap(record_of, found)
        else:
            guide = guide or Inverter(plan.job)
            pictures: list[Picture] = [
                (name, partial(open_picture, plan.pictures / name)) for name in names
            ]
            records = _records_here(plan, guide, method, pictures, concurrency, callback)
        for record in records:
            folder.prompts[method].append(record)
            yield record


def _records_here(
    plan: Plan,
    guide: Inverter,
    method: str,
    pictures: list[Picture],
    concurrency: int,
    callback: Callback | None,
) -> Iterator[Record]:
    if method in plan.optimizers:
        return guide.with_job(plan.job_of(method)).records(pictures, concurrency, callback)
    return _caption_records(plan, guide, method, pictures)


def _caption_records(
    plan: Plan, inverter: Inverter, method: str, pictures: list[Picture]
) -> Iterator[Record]:
    """The captions with the guide's similarity."""
    model = inverter.model
    for name, image in opened(pictures):
        try:
            targets = inverter.targets_of(name, image.result())
        except (PictureError, TargetError) as error:
            yield error_record(name, error)
            continue
        prompt = plan.captions[method][name]
        yield {
            "picture": name,
            "prompt": prompt,
            "similarity": model.score([prompt], targets).item(),
            "model": plan.job.model,
            "seed": 0,
            "settings": {"captions": method, "device": str(model.device)},
        }
