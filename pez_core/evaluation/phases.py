"""The three phases of an evaluation, one model in memory in each: the guide learns the prompts, the
pipeline paints them, the judge compares.

A phase looks at what is on the disk, does what is missing, and leaves one line for each picture and
method as soon as it is done. So each resumes by itself, and what cannot be done is a line too.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from ..batch.results import Record
from ..clip.model_names import find_model
from ..errors import ConfigError
from ..search.searcher import Callback
from .folder import EvaluationFolder
from .judging import judge_records, to_judge
from .painting import paint_records, to_paint
from .pipeline import find_pipeline, find_scheduler
from .plan import Plan
from .prompting import prompt_records, to_prompt

Work = Callable[[Callback | None], Iterator[Record]]


@dataclass(frozen=True)
class Phase:
    """One phase. noun: what it makes. total: how many of them in all. before: how many of them were
    there before.

    records: does the rest, and gives the record of each as soon as it is on the disk. Its argument
    is a callback as for `learn_prompts`, which only the first phase calls.
    """

    noun: str
    total: int
    before: int
    records: Work


def phases(
    plan: Plan,
    folder: EvaluationFolder,
    names: Iterable[str],
    again: bool = False,
    at_once: int = 8,
) -> Iterator[Phase]:
    """The phases in turn; each has to be run to its end before the next is asked for.

    names: of the pictures, as `list_pictures` gives them. again: try what has an error once more.
    at_once: pictures searched together.
    Raises ResultsError when what is on the disk is of other prompts, and what loading raises.
    """
    wanted = [
        (name, method)
        for name in names
        for method in plan.methods
        if method in plan.optimizers or name in plan.captions[method]
    ]
    asked = to_prompt(plan, folder, wanted, again)
    work = partial(prompt_records, plan, folder, asked, at_once)
    yield _phase("prompt", len(wanted), asked, work)
    prompted = [(name, m) for name, m in wanted if not folder.prompts[m].failed[name]]
    blank = to_paint(plan, folder, prompted, again)
    yield _phase("picture", len(prompted), blank, partial(paint_records, plan, folder, blank))
    open_cases = to_judge(plan, folder, wanted, again)
    work = partial(judge_records, plan, folder, open_cases)
    yield _phase("result", len(wanted), open_cases, work)


def _phase(noun: str, total: int, todo: Sequence[object], work: Work) -> Phase:
    def records(callback: Callback | None = None) -> Iterator[Record]:
        if not todo:
            return  # nothing is loaded for it
        try:
            yield from work(callback)
        finally:  # what the phase has loaded goes before the next one loads
            gc.collect()
            torch.cuda.empty_cache()

    return Phase(noun, total, total - len(todo), records)


def check(plan: Plan) -> None:
    """Finds every model of a plan before the first picture, downloaded if need be, and its
    scheduler.

    Raises ModelError when one cannot be had, and ConfigError when the judge takes part in learning.
    """
    if plan.diffusion.scheduler is not None:
        find_scheduler(plan.diffusion.scheduler)
    find_pipeline(plan.diffusion.pipeline)
    guides, judges = find_model(plan.job.model).parts, find_model(plan.judge).parts
    for guide in guides:
        for judge in judges:
            if guide.path and judge.path and guide.path.samefile(judge.path):
                raise ConfigError(
                    f"the judge {plan.judge} has learned the prompts itself, as {guide.name}: a "
                    "judge that took part is no judge, so give --judge another CLIP"
                )
