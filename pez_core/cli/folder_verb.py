"""What the verbs of many pictures share, `pez invert-folder` and `pez evaluate`: the first options
of their parsers, the search that is the same for each picture, and their messages."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from ..picture_files.names import PACKAGES, count_endings, ending
from ..text.vocabulary import clip_vocabulary
from .folder_progress import counted
from .output import write_message
from .request import SearchRequest

if TYPE_CHECKING:
    from ..batch.inverter import Job
    from ..batch.work import Run

WITH_ERRORS = 1  # the exit code when something has no result


@dataclass(frozen=True)
class FolderRequest:
    """The pictures of a folder, and where their results go.

    at_once: pictures searched together. retry_errors: whether errors are tried again.
    """

    folder: str
    out: str
    at_once: int
    retry_errors: bool


def folder_parser(
    verbs: Any,
    name: str,
    summary: str,
    about: str,
    examples: str,
    out: tuple[str, str],
    out_required: bool = True,
) -> argparse.ArgumentParser:
    """A parser with DIR, --out, --at-once and --retry-errors.

    summary: its line in the list of verbs. about, examples: the text above and below its options.
    out: the name and the help of --out.
    """
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        allow_abbrev=False,
        help=summary,
        usage=f"pez {name} DIR --out {out[0]} [option]...",
        description=about,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("folder", metavar="DIR", help="the folder of the pictures")
    add("--out", required=out_required, metavar=out[0], help=out[1])
    add(
        "--at-once",
        type=int,
        default=8,
        metavar="N",
        help="how many pictures to search together; more is faster and takes more memory, with the "
        "same results (default: 8)",
    )
    add(
        "--retry-errors",
        action="store_true",
        help="try the pictures with an error again; the last line of a picture counts",
    )
    return parser


def folder_request(arguments: argparse.Namespace, out: str | None = None) -> FolderRequest:
    """out: another one than that of --out. Raises ConfigError for a number out of range."""
    at_once = arguments.at_once
    if at_once < 1:
        raise ConfigError(f"--at-once must be a whole number of at least 1, got {at_once}")
    return FolderRequest(arguments.folder, out or arguments.out, at_once, arguments.retry_errors)


def folder_job(request: SearchRequest) -> Job:
    """The search of each picture. Raises what reading the words and the concepts raises."""
    from ..batch.inverter import Job
    from ..clip.model_names import find_model

    model = request.model
    mask = request.mask(clip_vocabulary(), find_model(model.name).words)
    return Job(
        model.name,
        request.template,
        request.config,
        mask,
        tower=model.tower,
        seed=request.seed,
        device=model.device,
        dtype=model.dtype,
        settings=request.settings(mask),
        make_guard=request.avoid.guard_maker(),
    )


@dataclass(frozen=True)
class RayRequest:
    """address: of the cluster, empty for one that starts here. workers: None for as many as fit."""

    address: str
    workers: int | None


def add_ray_options(parser: argparse.ArgumentParser, verb: str) -> None:
    """verb: what the workers do, for the help."""
    group = parser.add_argument_group(
        "many machines",
        "The workers receive the pictures. They need pez, and a model FILE under the same path.",
    )
    group.add_argument(
        "--ray",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help=f"{verb} on a Ray cluster: HOST:PORT, auto for the cluster of this machine, or no "
        "ADDRESS to start a cluster here for this run (then write DIR before --ray)",
    )
    group.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="how many workers to use (default: one per GPU, or one per 4 processor cores)",
    )


def ray_request(arguments: argparse.Namespace) -> RayRequest | None:
    """None without --ray. Raises ConfigError for a number out of range."""
    workers = arguments.workers
    if workers is not None and workers < 1:
        raise ConfigError(f"--workers must be a whole number of at least 1, got {workers}")
    if arguments.ray is None:
        if workers is not None:
            raise ConfigError("--workers works only with --ray: give both or neither")
        return None
    return RayRequest(arguments.ray, workers)


@contextmanager
def on_cluster(ray: RayRequest) -> Iterator[Run]:
    """Connects to a cluster. Raises ClusterError without one."""
    from ..batch.ray_batch import LOCAL, connection, run_on_cluster

    # Ray reports dead workers on stdout.
    with redirect_stdout(sys.stderr), connection(ray.address or LOCAL):
        yield partial(run_on_cluster, workers=ray.workers)


def tell(text: str) -> None:
    write_message(f"pez: {text}")


def tell_of_packages(names: Sequence[str]) -> None:
    """Says once which pictures cannot be read because a package is not installed."""
    from ..picture_files.kinds import is_installed

    for package in sorted(set(PACKAGES.values())):
        endings = count_endings(name for name in names if PACKAGES.get(ending(name)) == package)
        if endings and not is_installed(package):
            kinds = ", ".join(endings)
            tell(
                f"{counted(sum(endings.values()), 'picture')} ({kinds}) cannot be read before "
                f"`pip install {package}`"
            )
