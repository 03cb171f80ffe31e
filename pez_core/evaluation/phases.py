"""The phases of an evaluation: the guide learns the prompts, the painter chooses among candidates
where a method asks for it, and paints; the judge compares the pictures. Each phase holds one model
in memory.

A phase reads the files on the disk, does the missing work, and writes one line for each picture and
method as soon as it is done. So each phase can resume, and a failure is a line as well.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from ..batch.results import Record
from ..batch.work import Run, run_here
from ..clip.model_names import find_model
from ..errors import ConfigError
from ..painter.loading import find_scheduler, require_painter
from ..search.searcher import Callback
from .choosing import choice_records, to_choose
from .folder import EvaluationFolder
from .judging import judge_records, to_judge
from .painting import paint_records, to_paint
from .plan import Plan
from .prompting import prompt_records, to_prompt

PhaseRun = Callable[[Callback | None], Iterator[Record]]


@dataclass(frozen=True)
class Phase:
    """One phase. noun: the name of its products. total: their number. before: the number that
    existed before.

    records: does the remaining work and yields each record as soon as it is on the disk. Its
    argument is a callback as for `learn_prompts`; only the first phase calls it.
    """

    noun: str
    total: int
    before: int
    records: PhaseRun


def phases(
    plan: Plan,
    folder: EvaluationFolder,
    names: Iterable[str],
    again: bool = False,
    concurrency: int = 8,
    run: Run | None = None,
) -> Iterator[Phase]:
    """The phases in order. Run each to its end before requesting the next.

    names: of the pictures, as `list_pictures` returns them. again: retry entries with an error.
    concurrency: pictures searched together. run: does the work elsewhere, such as
    `batch.ray_batch.run_on_cluster`; here if omitted.
    Raises ResultsError when the saved files belong to other prompts, and whatever loading raises.
    """
    wanted = [
        (name, method)
        for name in names
        for method in plan.methods
        if method in plan.optimizers or name in plan.captions[method]
    ]
    unprompted = to_prompt(plan, folder, wanted, again)
    search = partial(prompt_records, plan, folder, unprompted, concurrency, run)
    yield _phase("prompt", len(wanted), unprompted, search)
    prompted = [(name, m) for name, m in wanted if not folder.prompts[m].failed[name]]
    if any(map(plan.is_chosen, plan.methods)):
        unchosen = to_choose(plan, folder, prompted)
        choose = partial(choice_records, plan, folder, unchosen, run or run_here)
        total = sum(plan.is_chosen(method) for _, method in prompted)
        yield _phase("choice", total, unchosen, lambda _: choose())
        prompted = [(name, m) for name, m in prompted if not folder.prompts[m].failed[name]]
    unpainted = to_paint(plan, folder, prompted, again)
    paint = partial(paint_records, plan, folder, unpainted, run or run_here)
    yield _phase("picture", len(prompted), unpainted, lambda _: paint())
    unjudged = to_judge(plan, folder, wanted, again)
    judge = partial(judge_records, plan, folder, unjudged, run or run_here)
    yield _phase("result", len(wanted), unjudged, lambda _: judge())


def _phase(noun: str, total: int, todo: Sequence[object], run: PhaseRun) -> Phase:
    def records(callback: Callback | None = None) -> Iterator[Record]:
        if not todo:
            return  # so that no model is loaded
        try:
            yield from run(callback)
        finally:  # free this phase's model before the next one loads
            gc.collect()
            torch.cuda.empty_cache()

    return Phase(noun, total, total - len(todo), records)


def check(plan: Plan) -> None:
    """Check that every model of a plan and its scheduler are available; downloads them if
    necessary.

    Raises ModelError when one is unavailable, and ConfigError when the judge is also a guide.
    """
    if plan.painter.scheduler is not None:
        find_scheduler(plan.painter.scheduler)
    require_painter(plan.painter.painter)
    guides, judges = find_model(plan.job.model).parts, find_model(plan.judge).parts
    for guide in guides:
        for judge in judges:
            if guide.path and judge.path and guide.path.samefile(judge.path):
                raise ConfigError(
                    f"the judge {plan.judge} is the guide {guide.name} that learns the prompts: "
                    "its own prompts would score too high, so give --judge another CLIP"
                )
