"""What the verbs of many pictures share, `pez invert-folder` and `pez evaluate`: the beginning of
their parsers, the search that is the same for each picture, and how they speak."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ..batch.inverter import Job
from ..clip.model_names import find_model
from ..errors import ConfigError
from ..text.vocabulary import clip_vocabulary
from .avoid import guard_maker
from .options import asked_settings, search_config, search_mask, search_template

WITH_ERRORS = 1  # the exit code when something has no result


def folder_parser(
    verbs: Any, name: str, summary: str, about: str, examples: str, out: tuple[str, str]
) -> argparse.ArgumentParser:
    """A parser with DIR, --out, --at-once and --retry-errors.

    summary: its line in the list of verbs. about, examples: what stands above and below its
    options. out: the name and the help of --out.
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
    add("folder", metavar="DIR")
    add("--out", required=True, metavar=out[0], help=out[1])
    add(
        "--at-once",
        type=int,
        default=8,
        metavar="N",
        help="pictures searched together: faster, more memory, same results (default: 8)",
    )
    add(
        "--retry-errors",
        action="store_true",
        help="try again what has an error; the last line of a picture counts",
    )
    return parser


def folder_job(arguments: argparse.Namespace) -> Job:
    """The search of each picture that was asked for. Raises ConfigError, and what reading the
    words and the concepts raises."""
    if arguments.at_once < 1:
        raise ConfigError(
            f"--at-once must be a whole number of at least 1, got {arguments.at_once}"
        )
    config, template = search_config(arguments), search_template(arguments)
    mask = search_mask(arguments, clip_vocabulary(), find_model(arguments.model).words)
    return Job(
        arguments.model,
        template,
        config,
        mask,
        tower=arguments.tower,
        seed=arguments.seed,
        device=arguments.device,
        dtype=arguments.dtype,
        settings=asked_settings(arguments, mask),
        make_guard=guard_maker(arguments),
    )


def tell(text: str) -> None:
    print(f"pez: {text}", file=sys.stderr)
