"""`pez distill TEXT`: a long prompt made into a short one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from ..applications.distillation import Point, distill, distillation_curve
from ..errors import TargetError
from .exit_codes import INTERRUPTED
from .options import add_search_options, search_config, search_template
from .searching import open_model, print_result, search_options, watched


def add_parser(verbs: Any, name: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        allow_abbrev=False,
        help="make a long prompt into a short one",
        description="Learns a short prompt that CLIP reads like TEXT. A text of more than 75 "
        "tokens is read in parts of whole words, each weighted by its length.",
    )
    add = parser.add_argument
    add("text", metavar="TEXT", help="the long prompt; - reads it from standard input")
    add(
        "--curve",
        action="store_true",
        help="also learn prompts of 1, 2, 4, 8, … tokens, beside the text cut to as many "
        "(--seconds is the time of each)",
    )
    add_search_options(parser)
    add("--json", action="store_true", help="print one JSON object, that of pez invert")
    return parser


def run(arguments: argparse.Namespace) -> int:
    config, template = search_config(arguments), search_template(arguments)
    text = (_read() if arguments.text == "-" else arguments.text).strip()
    if not text:
        raise TargetError("nothing to distill: give a text with some words")
    model, dtype = open_model(arguments)
    asked = {"pictures": [], "texts": [text], "negatives": []}
    options = search_options(arguments, model, dtype, config, asked)
    points: list[Point] = []
    with watched(config.seconds) as callback:
        result = distill(model, text, template, callback=callback, **options)
        if arguments.curve and result.stopped != "user":
            points += distillation_curve(model, text, callback=callback, **options)
    more = {"curve": [point.to_json() for point in points]} if arguments.curve else {}
    code = print_result(result, arguments.json, more, _table(points))
    return INTERRUPTED if points and points[-1].stopped == "user" else code


def _read() -> str:
    """Standard input. Raises TargetError for what is not UTF-8."""
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise TargetError(f"standard input is no text ({error}): give UTF-8") from error


def _table(points: Sequence[Point]) -> str:
    if not points:
        return ""
    lines = ["tokens  ratio  similarity     cut  prompt"]
    lines += [
        f"{p.tokens:>6}  {p.ratio:>5.0%}  {p.similarity:>10.4f}  {p.cut_similarity:>6.4f}  "
        f"{p.prompt}"
        for p in points
    ]
    return "\n".join(lines)
