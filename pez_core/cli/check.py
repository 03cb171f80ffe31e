"""`pez check TEXT --avoid CONCEPT`: tests whether a text means or says something to avoid."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from typing import Any

from ..errors import GuardError, TargetError, printable
from ..prompt import SCHEMA, Nearness
from .avoid import AvoidRequest, avoid_request
from .options import add_avoid_options, add_model_options, add_option
from .output import write_result

NEAR = 1  # the exit code of a text that means or says a concept

_CODES = """
exit codes:
  0  the text is clear of every concept; "?" marks a concept that the model does not know: only its
     words are checked
  1  the text is too near to a concept ("near"), or contains a word that says it ("says")
  2  an error, as one line on stderr
"""


@dataclass(frozen=True)
class CheckRequest:
    """model, tower: as for `load_model`."""

    text: str
    avoid: AvoidRequest
    model: str
    tower: str | None
    as_json: bool


def add_parser(verbs: Any, name: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        allow_abbrev=False,
        help="test whether a text means or says something to avoid",
        epilog=_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("text", metavar="TEXT", help="the text to check")
    add_avoid_options(parser)
    add_model_options(parser)
    add_option(parser, "json", action="store_true")
    return parser


def run(arguments: argparse.Namespace) -> int:
    return _check(
        CheckRequest(
            arguments.text,
            avoid_request(arguments),
            arguments.model,
            arguments.tower,
            arguments.json,
        )
    )


def _check(request: CheckRequest) -> int:
    if not request.text.strip():
        raise TargetError("nothing to check: give a text with some words")
    maker = request.avoid.guard_maker()
    if maker is None:
        raise GuardError("nothing to keep away from: give --avoid or --avoid-file")
    from ..clip.models import load_model

    model = load_model(request.model, tower=request.tower)
    (found,) = maker(model).check(model, [request.text])
    near = any(one.near for one in found.values())
    clear = not near and not any(one.says for one in found.values())
    if request.as_json:
        guard = {name: one.to_json() for name, one in found.items()}
        entries = {"text": request.text, "model": model.name, "near": near, "clear": clear}
        write_result(json.dumps({"schema": SCHEMA, **entries, "guard": guard}))
    else:
        write_result(_table(found))
    return 0 if clear else NEAR


def _table(found: dict[str, Nearness]) -> str:
    lines = [f"{'':5}  {'is':>7}  {'at most':>7}  concept"]
    for name, one in found.items():
        verdict = "near" if one.near else "says" if one.says else "clear" if one.known else "?"
        words = f" (says {', '.join(one.says)})" if one.says else ""
        limit = f"{one.threshold:7.4f}" if one.known else f"{'-':>7}"
        lines.append(f"{verdict:5}  {one.similarity:7.4f}  {limit}  {printable(name)}{words}")
    return "\n".join(lines)
