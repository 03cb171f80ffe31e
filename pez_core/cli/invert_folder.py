"""`pez invert-folder DIR --out FILE`: a prompt for each picture of a folder, one JSON line each."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

from ..batch.inverter import Inverter, Job, list_pictures
from ..batch.ray_batch import LOCAL, Cluster
from ..batch.results import Record, ResultsFile
from ..errors import ConfigError
from ..pictures import open_picture
from .folder_progress import FolderProgress, counted
from .folder_verb import WITH_ERRORS, folder_job, folder_parser, tell
from .options import add_search_options

_ABOUT = """
Learns a prompt for each picture of a folder, and of the folders in it. Hidden files are left out,
links to folders are not followed.

FILE gets one JSON object a line, as soon as its picture is done: that of `pez invert --json` behind
"picture", its path below DIR, with `/`. Where a picture cannot be read, or no prompt is found, the
line is {"picture": path, "error": text}. Lines come as pictures get done, in no fixed order. The
result of a picture depends on it and on the options alone.

The same command goes on where it was ended, be it by Ctrl-C, a kill or a power cut: pictures with a
line are skipped, and a line torn in its middle is cut off. Options that change results have to be
the same as before.
"""
_CODES = """
exit codes:
  0    every picture has a prompt
  1    all are done, but some have an error instead, in this run or before
  2    the run has failed; the reason is one line on stderr
  130  ended by Ctrl-C

examples:
  pez invert-folder photos --out prompts.jsonl --model sd15
  jq -r 'select(.prompt) | [.picture, .prompt] | @tsv' prompts.jsonl
  jq -r 'select(.error) | .error' prompts.jsonl
  pez invert-folder photos --out prompts.jsonl --model sd15 --ray auto
"""


def add_parser(verbs: Any, name: str) -> argparse.ArgumentParser:
    out = ("FILE", "where the lines go; those in it are kept")
    parser = folder_parser(
        verbs, name, "learn a prompt for each picture of a folder", _ABOUT, _CODES, out
    )
    parser.add_argument(
        "--force", action="store_true", help="go on in FILE with other options than before"
    )
    _add_ray_options(parser)
    add_search_options(parser.add_argument_group("search, the same for each picture"))
    return parser


def _add_ray_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "many machines",
        "Workers are sent the pictures. They need pez, and a model FILE under the same path.",
    )
    group.add_argument(
        "--ray",
        nargs="?",
        const=LOCAL,
        metavar="ADDRESS",
        help="search on the Ray cluster of HOST:PORT, on the one that this machine is in (auto), "
        "or on one that is started here for the run (no ADDRESS; write DIR before --ray)",
    )
    group.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="how many (default: one for each GPU, or else for every 4 processor cores)",
    )


def run(arguments: argparse.Namespace) -> int:
    job = _job(arguments)
    names, others = list_pictures(arguments.folder)
    with ResultsFile(arguments.out) as results:
        if not arguments.force:
            results.require(job.decisive())
        again = arguments.retry_errors
        todo = results.todo(names, again)
        left_out = counted(others, "other file")
        tell(f"{len(todo)} of {len(names)} pictures to do, {left_out} left out")
        if todo:
            _search(arguments, job, todo, results, len(names))
        bad = sum(results.failed.get(name, False) for name in names)
    if bad and not again:
        tell(f"{counted(bad, 'error')} in {arguments.out}: --retry-errors tries again")
    return WITH_ERRORS if bad else 0


def _job(arguments: argparse.Namespace) -> Job:
    workers = arguments.workers
    if workers is not None and workers < 1:
        raise ConfigError(f"--workers must be a whole number of at least 1, got {workers}")
    if workers is not None and arguments.ray is None:
        raise ConfigError("--workers is of use with --ray: give both or neither")
    return folder_job(arguments)


def _search(
    arguments: argparse.Namespace, job: Job, todo: list[str], results: ResultsFile, total: int
) -> None:
    """Searches the pictures here or on a cluster, and keeps their records."""
    paths = [(name, Path(arguments.folder, name)) for name in todo]
    progress = FolderProgress(total, total - len(todo))
    if arguments.ray is None:
        inverter = Inverter(job)
        pictures = ((name, partial(open_picture, path)) for name, path in paths)
        with progress:
            _keep(inverter.records(pictures, arguments.at_once, progress.step), results, progress)
        return
    options = {"workers": arguments.workers, "concurrency": arguments.at_once}
    # Ray tells of dead workers on stdout.
    with redirect_stdout(sys.stderr), Cluster(job, arguments.ray, **options) as cluster, progress:
        _keep(cluster.records(paths), results, progress)


def _keep(records: Iterator[Record], results: ResultsFile, progress: FolderProgress) -> None:
    for record in records:
        results.append(record)
        progress.record(record)
