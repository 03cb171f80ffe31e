"""`pez evaluate DIR --out FOLDER`: paints pictures from prompts, and scores them with a second
CLIP."""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..evaluation.captions import join_captions
from ..evaluation.plan import JUDGE, Plan, judge_of
from ..options import OPTIONS
from ..painter.settings import DEMO, PIPELINE, PainterSettings
from .folder_progress import FolderProgress, counted
from .folder_verb import (
    WITH_ERRORS,
    FolderRequest,
    RayRequest,
    add_ray_options,
    folder_job,
    folder_parser,
    folder_request,
    on_cluster,
    ray_request,
    tell,
    tell_of_packages,
)
from .options import add_search_options
from .output import write_result
from .painter_options import (
    add_painting_options,
    painter_of,
    painter_settings,
)
from .request import SearchRequest, search_request

GUIDE = "sd2"  # the CLIP whose text encoder the default pipeline reads prompts with; paper §4.1
SHEET = 12  # pictures of the contact sheet

_ABOUT = """
Learns a prompt for each picture of a folder with each optimizer. Paints pictures from the prompts
with a diffusion model. A second CLIP measures how similar they are to the originals. This is the
measure of arXiv 2302.03668 §4.1, with its models, guidance and steps as defaults. --preset paper
also searches as the paper does. --captions adds the prompts of other tools. docs/evaluation.md
describes the protocol and the files.

FOLDER gets prompts/, regenerated/, results.jsonl with a line for each picture and method, table.md,
.csv and .json with intervals, and sheet.png. The table is also printed.

To continue after Ctrl-C, a kill or a power cut, give the same command again. Options that change
results must be the same as before. Pictures, methods and captions may be added.
"""
_CODES = """
exit codes:
  0    every picture has a result of each method
  1    all are done, but some have an error, from this run or an earlier one
  2    the run has failed; the reason is one line on stderr
  130  ended by Ctrl-C

examples:
  pez evaluate photos --out result --preset paper
  pez evaluate photos --out result --optimizers pez autoprompt_sgd fluentprompt
  pez evaluate photos --out result --captions interrogator.csv --images 4
  jq -r 'select(.judge) | [.picture, .method, .judge, .prompt] | @tsv' result/results.jsonl
"""


@dataclass(frozen=True)
class EvaluateRequest:
    """optimizers, captions, judge: as for `Plan`, captions as files. sheet: how many pictures the
    contact sheet shows."""

    folder: FolderRequest
    search: SearchRequest
    optimizers: tuple[str, ...]
    captions: tuple[str, ...]
    painter: PainterSettings
    judge: str
    sheet: int
    ray: RayRequest | None


def add_parser(verbs: Any, name: str) -> argparse.ArgumentParser:
    summary = "paint pictures from prompts and score them with a second CLIP"
    out = ("FOLDER", "where the results go; not inside DIR")
    parser = folder_parser(verbs, name, summary, _ABOUT, _CODES, out)
    add = parser.add_argument
    add(
        "--captions",
        action="append",
        default=[],
        metavar="FILE",
        help="prompts of other tools: JSON lines or CSV with picture, method and prompt; may be "
        "repeated",
    )
    add(
        "--judge",
        metavar="NAME_OR_FILE",
        help=f"the second CLIP, which scores the painted pictures (default: {JUDGE}; with --model "
        f"{DEMO} the judge of the benchmarks, where it lies beside the package)",
    )
    add(
        "--sheet",
        type=int,
        default=SHEET,
        metavar="N",
        help="how many pictures the contact sheet shows; 0: no sheet (default: %(default)s)",
    )
    painting = parser.add_argument_group("painting, with diffusers")
    painting.add_argument(
        "--painter",
        "--pipeline",  # its name up to 0.4
        metavar="NAME_OR_FOLDER",
        help=f"{OPTIONS['painter'].help} (default: {PIPELINE}; {DEMO} with --model {DEMO})",
    )
    add_painting_options(painting)
    add_ray_options(parser, "search, paint and judge")
    add_search_options(
        parser.add_argument_group("search, the same for each picture and optimizer"),
        model=GUIDE,
        compare=True,
    )
    return parser


def run(arguments: argparse.Namespace) -> int:
    if arguments.sheet < 0:
        raise ConfigError(f"--sheet must be at least 0, got {arguments.sheet}")
    return _evaluate(
        EvaluateRequest(
            folder_request(arguments),
            search_request(arguments),
            tuple(dict.fromkeys(arguments.optimizers)),
            tuple(arguments.captions),
            painter_settings(arguments, painter_of(arguments.model) or PIPELINE),
            arguments.judge or judge_of(arguments.model),
            arguments.sheet,
            ray_request(arguments),
        )
    )


def _evaluate(request: EvaluateRequest) -> int:
    from ..batch.inverter import list_pictures
    from ..evaluation.folder import EvaluationFolder
    from ..evaluation.phases import check, phases
    from ..evaluation.sheet import write_sheet
    from ..evaluation.table import rows, to_markdown, write_table
    from ..painter.loading import require_diffusers

    require_diffusers()
    folder_options = request.folder
    plan = Plan(
        Path(folder_options.folder),
        folder_job(request.search),
        request.optimizers,
        join_captions(request.captions),
        request.painter,
        request.judge,
    )
    names, left_out = list_pictures(plan.pictures)
    _require_known(plan, names)
    again = folder_options.retry_errors
    cluster = nullcontext() if request.ray is None else on_cluster(request.ray)
    with EvaluationFolder(folder_options.out, plan) as folder, cluster as run_there:
        check(plan)
        tell(f"{counted(len(names), 'picture')}, {left_out}")
        tell_of_packages(names)
        for phase in phases(plan, folder, names, again, folder_options.at_once, run_there):
            tell(f"{phase.total - phase.before} of {counted(phase.total, phase.noun)} to do")
            if phase.before < phase.total:
                with FolderProgress(phase.total, phase.before, phase.noun) as progress:
                    for record in phase.records(progress.step):
                        progress.record(record)
        known = set(names)
        results = [r for r in folder.results.last().values() if r["picture"] in known]
        found = rows(plan.methods, results)
        write_table(plan, folder, found)
        if request.sheet:
            write_sheet(plan, folder, results, request.sheet)
    write_result(to_markdown(plan, found).rstrip("\n"))
    bad = sum(row.errors for row in found)
    if bad and not again:
        tell(f"{counted(bad, 'error')} in {folder_options.out}: --retry-errors tries again")
    return WITH_ERRORS if bad else 0


def _require_known(plan: Plan, names: list[str]) -> None:
    """Refuses captions without any picture, and reports missing pictures and missing captions."""
    known = set(names)
    for method, captions in plan.captions.items():
        strange = [name for name in captions if name not in known]
        if len(strange) == len(captions):
            raise ConfigError(
                f"no caption of {method} belongs to a picture of {plan.pictures}: the captions "
                f"name {strange[0]!r}, a picture there is {names[0]!r}"
            )
        if strange:
            verb = "names" if len(strange) == 1 else "name"
            tell(
                f"{counted(len(strange), 'caption')} of {method} {verb} no picture of "
                f"{plan.pictures}, such as {strange[0]!r}"
            )
        missing = len(known - captions.keys())
        if missing:
            left_out = (
                "is missing: that picture is" if missing == 1 else "are missing: those pictures are"
            )
            tell(f"{counted(missing, 'caption')} of {method} {left_out} left out for it")
