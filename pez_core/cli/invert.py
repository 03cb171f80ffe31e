"""`pez invert PICTURE...`: learns the prompt of one or several pictures and texts."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

from ..errors import TargetError
from .named import expanded, expanded_pictures, named_targets, open_named, picture_or_text
from .options import add_option, add_output_options, add_search_options
from .request import SearchRequest, search_request
from .searching import print_result, search_options, watched


@dataclass(frozen=True)
class InvertRequest:
    """pictures, texts: targets to be near to. negatives: pictures and texts to keep away from."""

    search: SearchRequest
    pictures: tuple[str, ...]
    texts: tuple[str, ...]
    negatives: tuple[str, ...]
    as_json: bool
    escape: str | None


def add_parser(verbs: Any, name: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, allow_abbrev=False, help="learn the prompt of pictures and texts"
    )
    parser.add_argument(
        "pictures",
        nargs="*",
        metavar="PICTURE",
        help="one prompt is learned for all pictures; - is a picture on standard input",
    )
    add_option(parser, "text", action="append", default=[])
    add_option(parser, "negative", action="append", default=[], metavar="PICTURE_OR_TEXT")
    add_search_options(parser)
    add_output_options(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    if not (arguments.pictures or arguments.text or arguments.negative):
        raise TargetError("nothing to learn from: give a picture, --text or --negative")
    if not all(text.strip() for text in (*arguments.text, *arguments.negative)):
        raise TargetError("an empty text cannot be a target: give --text and --negative some words")
    return _invert(
        InvertRequest(
            search_request(arguments),
            expanded(arguments.pictures),
            tuple(arguments.text),
            tuple(found for name in arguments.negative for found in expanded_pictures(name)),
            arguments.json,
            arguments.escape,
        )
    )


def _invert(request: InvertRequest) -> int:
    from ..search.searcher import learn_prompt

    search = request.search
    near = [
        *((name, open_named(name)) for name in request.pictures),
        *((text, None) for text in request.texts),
    ]
    away = [picture_or_text(name) for name in request.negatives]
    model, dtype = search.model.open()
    weights = [1.0] * len(near) + [-1.0] * len(away)
    targets = named_targets(model, [*near, *away], weights)
    inputs = {
        "pictures": list(request.pictures),
        "texts": list(request.texts),
        "negatives": list(request.negatives),
    }
    options = search_options(search, model, dtype, inputs)
    with watched(search.config.seconds) as callback:
        result = learn_prompt(model, targets, search.template, callback=callback, **options)
    return print_result(result, request.as_json, program=request.escape)
