"""`pez check TEXT --avoid CONCEPT`: whether a text means what it should keep away from."""

from __future__ import annotations

import argparse
import json
from typing import Any

from ..clip.models import load_model
from ..errors import GuardError, TargetError
from ..prompt import SCHEMA, Nearness
from .avoid import add_avoid_options, guard_maker

NEAR = 1  # the exit code of a text that does not keep away

_CODES = """
exit codes:
  0  the text keeps away from every concept; "?" marks one that the model does not know, for which
     only its words were looked for
  1  it is too near to one or more ("near"), or holds a word that says one outright ("says")
  2  an error, told in one line
"""


def add_parser(verbs: Any, name: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        allow_abbrev=False,
        help="tell whether a text keeps away from a meaning, in whatever words",
        epilog=_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("text", metavar="TEXT")
    add_avoid_options(parser)
    add("--model", default="demo", metavar="NAME_OR_FILE", help="see `pez models` (default: demo)")
    add("--tower", help="which text encoder of a file that holds several, such as clip_l")
    add("--json", action="store_true", help="print one JSON object")
    return parser


def run(arguments: argparse.Namespace) -> int:
    if not arguments.text.strip():
        raise TargetError("nothing to check: give a text with some words")
    maker = guard_maker(arguments)
    if maker is None:
        raise GuardError("nothing to keep away from: give --avoid or --avoid-file")
    model = load_model(arguments.model, tower=arguments.tower)
    (found,) = maker(model).check(model, [arguments.text])
    near = any(one.near for one in found.values())
    clear = not near and not any(one.says for one in found.values())
    if arguments.json:
        guard = {name: one.to_json() for name, one in found.items()}
        told = {"text": arguments.text, "model": model.name, "near": near, "clear": clear}
        print(json.dumps({"schema": SCHEMA, **told, "guard": guard}))
    else:
        print(_table(found))
    return 0 if clear else NEAR


def _table(found: dict[str, Nearness]) -> str:
    lines = [f"{'':5}  {'is':>7}  {'at most':>7}  concept"]
    for name, one in found.items():
        verdict = "near" if one.near else "says" if one.says else "clear" if one.known else "?"
        words = f" (says {', '.join(one.says)})" if one.says else ""
        limit = f"{one.threshold:7.4f}" if one.known else f"{'-':>7}"
        lines.append(f"{verdict:5}  {one.similarity:7.4f}  {limit}  {name}{words}")
    return "\n".join(lines)
