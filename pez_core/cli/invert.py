"""`pez invert PICTURE...`: the prompt of one or several pictures and texts."""

from __future__ import annotations

import argparse
from typing import Any

from ..errors import TargetError
from ..pictures import open_picture
from ..search.searcher import learn_prompt
from .named import named_targets, picture_or_text
from .options import add_search_options, search_config, search_template
from .searching import open_model, print_result, search_options, watched


def add_parser(verbs: Any, name: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, allow_abbrev=False, help="learn the prompt of pictures and texts"
    )
    add = parser.add_argument
    add("pictures", nargs="*", metavar="PICTURE", help="several pictures are targets of one prompt")
    add("--text", action="append", default=[], help="a text to come near to; may be repeated")
    add(
        "--negative",
        action="append",
        default=[],
        metavar="PICTURE_OR_TEXT",
        help="to keep away from; may be repeated. With nothing else the prompt is a negative "
        "prompt, as far away as words are, and its similarity minus the cosine",
    )
    add_search_options(parser)
    add("--json", action="store_true", help="print one JSON object")
    return parser


def run(arguments: argparse.Namespace) -> int:
    config, template = search_config(arguments), search_template(arguments)
    if not (arguments.pictures or arguments.text or arguments.negative):
        raise TargetError("nothing to learn from: give a picture, --text or --negative")
    if not all(text.strip() for text in (*arguments.text, *arguments.negative)):
        raise TargetError("an empty text cannot be a target: give --text and --negative some words")
    near = [
        *((name, open_picture(name)) for name in arguments.pictures),
        *((text, None) for text in arguments.text),
    ]
    away = [picture_or_text(name) for name in arguments.negative]
    model, dtype = open_model(arguments)
    weights = [1.0] * len(near) + [-1.0] * len(away)
    targets = named_targets(model, [*near, *away], weights)
    asked = {
        "pictures": arguments.pictures, "texts": arguments.text, "negatives": arguments.negative,
    }  # fmt: skip
    options = search_options(arguments, model, dtype, config, asked)
    with watched(config.seconds) as callback:
        result = learn_prompt(model, targets, template, callback=callback, **options)
    return print_result(result, arguments.json)
