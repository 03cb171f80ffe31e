"""Between the first phase and the second the painter chooses among the candidates of a search, for
the methods that ask for it. The choice is one more line of the picture's prompts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..batch.results import Key, Record, error_record
from ..batch.work import Do, Item, Run, run_here
from ..compute.devices import find_device
from ..errors import PictureError, ResultsError
from ..painter.denoising import PipelineErrors
from ..painter.pipeline import Painter
from ..painter.ranking import rank
from ..painter.settings import PainterSettings
from ..pictures import decode_picture, read_picture
from .folder import WAY_OUT, EvaluationFolder
from .plan import Plan
from .prompting import Pair


def to_choose(plan: Plan, folder: EvaluationFolder, prompted: Iterable[Pair]) -> list[Pair]:
    """The pairs whose prompt the painter has to choose and has not chosen yet.

    Raises ResultsError when another painter has chosen some, or one with other settings.
    """
    known = _records(plan, folder)
    todo = []
    for name, method in prompted:
        if not plan.is_chosen(method):
            continue
        choice = known[method][name].get("choice")
        if choice is None:
            todo.append((name, method))
        elif choice["painting"] != plan.painting:
            raise ResultsError(
                f"{folder.path} holds choices of another painter for {method}, or with other "
                f"settings: {WAY_OUT}"
            )
    return todo


def choice_records(
    plan: Plan, folder: EvaluationFolder, todo: list[Pair], run: Run = run_here
) -> Iterator[Record]:
    """Choose the prompts of `todo`; saves and yields the record of each. Raises whatever `Painter`
    and `PipelineErrors` raise, but for an error of one picture, which is its record."""
    known = _records(plan, folder)
    items = []
    for name, method in todo:
        away = [one for one in known[method][name]["candidates"] if not _is_near(one)]
        content = partial(_content, plan, name, [candidate["prompt"] for candidate in away])
        items.append(Item((name, method), f"{name}, {method}", content))
    for pair, ranked in run(ChoiceWork(plan.painter, plan.job.device, plan.job.seed), items):
        name, method = pair
        if isinstance(ranked, PictureError):
            record = error_record(name, ranked)
        else:
            record = _chosen(plan, known[method][name], *ranked)
        folder.prompts[method].append(record)
        yield record


def _records(plan: Plan, folder: EvaluationFolder) -> dict[str, dict[Key, Record]]:
    """The last record of every picture, by method."""
    return {m: folder.prompts[m].last() for m in plan.methods if plan.is_chosen(m)}


def _content(plan: Plan, name: str, prompts: list[str]) -> tuple[Any, int]:
    """What a `ChoiceWork` gets for a picture, and its size."""
    data = read_picture(plan.pictures / name)
    return (data, str(plan.pictures / name), prompts), len(data)


def _is_near(candidate: Record) -> bool:
    """Whether a guard finds a candidate too near."""
    return any(found["near"] for found in candidate.get("guard", {}).values())


def _chosen(plan: Plan, record: Record, errors: dict[str, float], about: Record) -> Record:
    """A search's record with its candidates in the painter's order. errors: of each prompt, best
    first; the prompts without one stay behind."""
    places = {prompt: place for place, prompt in enumerate(errors)}
    candidates = [
        {**one, "error": errors[one["prompt"]]} if one["prompt"] in errors else one
        for one in record["candidates"]
    ]
    candidates.sort(key=lambda one: places.get(one["prompt"], len(places)))
    best = {key: value for key, value in candidates[0].items() if key in record}
    choice = {**about, "painting": plan.painting}
    return {**record, **best, "candidates": candidates, "choice": choice}


@dataclass(frozen=True)
class ChoiceWork:
    """Choosing as a `batch.work.Work`. The content of an item is a picture's file, its path for
    messages, and prompts. The result is the error of each prompt, and what the choice is made
    of."""

    settings: PainterSettings
    device: str
    seed: int
    at_once: int = 1
    ahead: int = 0
    doing: str = "choosing"

    def load(self) -> Do:
        painter = Painter(self.settings, find_device(self.device))

        def do(batch: Sequence[tuple[Key, Any]]) -> Iterator[tuple[Key, Any]]:
            for name, (data, path, prompts) in batch:
                try:
                    if not prompts:  # all are too near to what should be avoided
                        yield name, ({}, painter.about)
                        continue
                    picture = PipelineErrors(painter, decode_picture(data, path), self.seed)
                    found = rank(picture, prompts)
                except PictureError as error:
                    yield name, error
                    continue
                about = {
                    **painter.about, "rounds": found.rounds, "passes": found.passes,
                    "tied": found.tied,
                }  # fmt: skip
                yield name, ({one.prompt: one.error for one in found.prompts}, about)

        return do
