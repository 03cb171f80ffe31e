"""`pez invert-folder DIR`: learns a prompt for each picture of a folder, one JSON line each, and
with --txt a caption file each."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..batch.results import Record, ResultsFile
from .caption_options import CaptionRequest, add_caption_options, caption_request
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
from .request import SearchRequest, search_request

if TYPE_CHECKING:
    from ..batch.caption_files import CaptionFiles
    from ..batch.inverter import Job

_ABOUT = """
Learns a prompt for each picture of a folder and of the folders in it. Hidden files are left out.
Links to folders are not followed.

FILE gets one JSON object per line as soon as a picture is done: the object of `pez invert --json`
with "picture" in front, the path below DIR, with `/`. If a picture cannot be read, or no prompt is
found, the line is {"picture": path, "error": text}. The lines have no fixed order. The result of a
picture depends only on the picture and on the options.

To continue after Ctrl-C, a kill or a power cut, give the same command again. It skips the pictures
that have a line, and removes an incomplete last line. Options that change results must be the same
as before.

With --txt, each picture gets a caption file too, from its line. A missing caption is written again,
without a search. An existing file of another text is kept.
"""
_CODES = """
exit codes:
  0    every picture has a prompt
  1    all are done, but some have an error, from this run or an earlier one
  2    the run has failed; the reason is one line on stderr
  130  ended by Ctrl-C

examples:
  pez invert-folder photos --out prompts.jsonl --model sd15
  jq -r 'select(.prompt) | [.picture, .prompt] | @tsv' prompts.jsonl
  jq -r 'select(.error) | .error' prompts.jsonl
  pez invert-folder photos --txt --prefix "sks style" --model sdxl
  pez invert-folder photos --out prompts.jsonl --model sd15 --ray auto
"""


@dataclass(frozen=True)
class InvertFolderRequest:
    """captions: None for lines alone. force: whether other options than before are accepted. ray:
    None to search in this process."""

    folder: FolderRequest
    search: SearchRequest
    captions: CaptionRequest | None
    force: bool
    ray: RayRequest | None


def add_parser(verbs: Any, name: str) -> argparse.ArgumentParser:
    out = ("FILE", "where the lines go; existing lines are kept")
    parser = folder_parser(
        verbs, name, "learn a prompt for each picture of a folder", _ABOUT, _CODES, out, False
    )
    parser.usage = f"pez {name} DIR (--out FILE | --txt) [option]..."
    parser.add_argument(
        "--force", action="store_true", help="continue FILE with other options than before"
    )
    add_caption_options(parser)
    add_ray_options(parser, "search")
    add_search_options(parser.add_argument_group("search, the same for each picture"))
    return parser


def run(arguments: argparse.Namespace) -> int:
    ray = ray_request(arguments)
    out, captions = caption_request(arguments)
    return _invert_folder(
        InvertFolderRequest(
            folder_request(arguments, out),
            search_request(arguments),
            captions,
            arguments.force,
            ray,
        )
    )


def _invert_folder(request: InvertFolderRequest) -> int:
    from ..batch.inverter import list_pictures

    job = folder_job(request.search)
    names, left_out = list_pictures(request.folder.folder)
    captions = None
    if request.captions is not None:
        job = replace(job, settings={**job.settings, **request.captions.settings()})
        captions = request.captions.files(names)
    with ResultsFile(request.folder.out) as results:
        if not request.force:
            results.require(job.decisive())
        again = request.folder.retry_errors
        todo = results.todo(names, again)
        if captions is not None:
            todo = captions.to_search(todo)
            _caption_earlier(names, results, captions)
        tell(f"{len(todo)} of {len(names)} pictures to do, {left_out}")
        tell_of_packages(todo)
        if todo:
            _search(request, job, todo, partial(_keep, results, captions), len(names))
        bad = sum(results.failed.get(name, False) for name in names)
    if captions is not None:
        _tell_captions(captions)
    if bad and not again:
        tell(f"{counted(bad, 'error')} in {request.folder.out}: --retry-errors tries again")
    return WITH_ERRORS if bad else 0


def _search(
    request: InvertFolderRequest,
    job: Job,
    todo: list[str],
    keep: Callable[[Record], None],
    total: int,
) -> None:
    """Searches the pictures here or on a cluster, and keeps their records."""
    from ..batch.inverter import Inverter, SearchWork, picture_item, record_of
    from ..pictures import open_picture

    paths = [(name, Path(request.folder.folder, name)) for name in todo]
    at_once = request.folder.at_once
    progress = FolderProgress(total, total - len(todo))
    if request.ray is None:
        inverter = Inverter(job)
        pictures = ((name, partial(open_picture, path)) for name, path in paths)
        with progress:
            for record in inverter.records(pictures, at_once, progress.step):
                keep(record)
                progress.record(record)
        return
    items = [picture_item(name, path) for name, path in paths]
    with on_cluster(request.ray) as run_there, progress:
        for name, result in run_there(SearchWork(job, at_once), items):
            record = record_of(name, result)
            keep(record)
            progress.record(record)


def _keep(results: ResultsFile, captions: CaptionFiles | None, record: Record) -> None:
    """Writes a record and then its caption, which the next run takes from the record if need be."""
    results.append(record)
    if captions is not None and "prompt" in record:
        captions.write(record["picture"], record["prompt"])


def _caption_earlier(names: list[str], results: ResultsFile, captions: CaptionFiles) -> None:
    """Writes the captions of earlier records that are missing."""
    prompts = results.prompts()
    for name in names:
        if name in prompts:
            captions.write(name, prompts[name])


def _tell_captions(captions: CaptionFiles) -> None:
    tell(f"{counted(captions.written, 'caption')} written")
    if captions.kept:
        kept = counted(len(captions.kept), "caption file")
        tell(f"{kept} kept, of another text, such as {captions.kept[0]}: --overwrite replaces them")
