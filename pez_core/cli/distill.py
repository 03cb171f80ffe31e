"""`pez distill TEXT`: learns a short prompt from a long one."""

from __future__ import annotations

import argparse
import logging
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import TargetError
from ..escaping import COMFYUI, escape
from .exit_codes import INTERRUPTED
from .options import add_output_options, add_search_options
from .request import SearchRequest, search_request
from .searching import escaped, print_result, search_options, watched

if TYPE_CHECKING:
    from ..applications.distillation import Point

MOST_BYTES = 1_000_000  # of standard input; CLIP reads about 300 of them at once

log = logging.getLogger(__name__)

_EMBEDDING = re.compile(r"(?<![^\s(,])embedding:[^\s,():]+")  # of ComfyUI's prompts


@dataclass(frozen=True)
class DistillRequest:
    """text: the long prompt. curve: whether prompts of other lengths are learned too."""

    search: SearchRequest
    text: str
    curve: bool
    as_json: bool
    escape: str | None


def add_parser(verbs: Any, name: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        allow_abbrev=False,
        help="make a long prompt short",
        description="Learns a short prompt that CLIP reads like TEXT. A text of more than 75 "
        "tokens is read in parts. Each part has whole words and is weighted by its length.",
    )
    add = parser.add_argument
    add("text", metavar="TEXT", help="the long prompt; - reads standard input")
    add(
        "--curve",
        action="store_true",
        help="also learn prompts of 1, 2, 4, 8, … tokens, and compare each with the text cut to "
        "that length; --seconds is the time of each",
    )
    add_search_options(parser)
    add_output_options(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    search = search_request(arguments)
    text = _readable(_read() if arguments.text == "-" else arguments.text)
    if not text:
        raise TargetError("nothing to distill: give a text with some words")
    return _distill(DistillRequest(search, text, arguments.curve, arguments.json, arguments.escape))


def _distill(request: DistillRequest) -> int:
    from ..applications.distillation import distill, distillation_curve

    search, text = request.search, request.text
    model, dtype = search.model.open()
    inputs = {"pictures": [], "texts": [text], "negatives": []}
    options = search_options(search, model, dtype, inputs)
    points: list[Point] = []
    with watched(search.config.seconds) as callback:
        result = distill(model, text, search.template, callback=callback, **options)
        if request.curve and result.stopped != "user":
            points += distillation_curve(model, text, callback=callback, **options)
    program = request.escape or COMFYUI
    curve = [{**point.to_json(), "escaped": escape(point.prompt, program)} for point in points]
    more = {"curve": curve} if request.curve else {}
    table = "" if request.as_json else _table(points, request.escape)
    code = print_result(result, request.as_json, more, table, request.escape)
    return INTERRUPTED if points and points[-1].stopped == "user" else code


def _readable(text: str) -> str:
    """The text without embeddings of ComfyUI, with a warning that names them."""
    left_out = _EMBEDDING.findall(text)
    if left_out:
        names = ", ".join(dict.fromkeys(left_out))
        log.warning("an embedding has no words to learn from, left out: %s", names)
    return _EMBEDDING.sub("", text).strip()


def _read() -> str:
    """Standard input. Raises TargetError if it cannot be read, is too long, or is not UTF-8."""
    try:
        content = sys.stdin.buffer.read(MOST_BYTES + 1)
    except OSError as error:
        raise TargetError(
            f"cannot read standard input ({error.strerror or error}): give TEXT itself, or a pipe"
        ) from error
    if len(content) > MOST_BYTES:
        raise TargetError(f"standard input has more than {MOST_BYTES:,} bytes: give a shorter text")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TargetError(f"standard input is not text ({error}): give UTF-8") from error


def _table(points: Sequence[Point], program: str | None) -> str:
    if not points:
        return ""
    lines = ["tokens  ratio  similarity     cut  prompt"]
    lines += [
        f"{p.tokens:>6}  {p.ratio:>5.0%}  {p.similarity:>10.4f}  {p.cut_similarity:>6.4f}  "
        f"{escaped(p.prompt, program)}"
        for p in points
    ]
    return "\n".join(lines)
