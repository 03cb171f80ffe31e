"""`pez mix PICTURE_OR_TEXT...`: makes one prompt from several concepts, together or one by one."""

from __future__ import annotations

import argparse
import math
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError, TargetError
from .named import expanded_pictures, named_targets, names_picture, picture_or_text
from .options import TOKENS, add_output_options, add_search_options
from .request import SearchRequest, search_request
from .searching import print_result, search_options, watched

MODES = ("learn", "concatenate")


@dataclass(frozen=True)
class MixRequest:
    """concepts: names of pictures and texts. mode: one of MODES. tokens: of a concatenation."""

    search: SearchRequest
    concepts: tuple[str, ...]
    weights: tuple[float, ...]
    mode: str
    tokens: int
    as_json: bool
    escape: str | None


def add_parser(verbs: Any, name: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        allow_abbrev=False,
        help="mix pictures and texts into one prompt",
        description="Makes one prompt from concepts: pictures and texts, each with a weight.",
    )
    add = parser.add_argument
    add(
        "concepts",
        nargs="+",
        metavar="PICTURE_OR_TEXT[@WEIGHT]",
        help="such as fox.png@0.7 or 'an oil painting'. The default weight is 1; a negative weight "
        "keeps away",
    )
    add(
        "--mode",
        choices=MODES,
        default="learn",
        help="learn: learn words for all concepts together; the prompt is nearer to the least "
        "similar concept. concatenate: learn words for each picture and join them and the texts, "
        "within --tokens; the prompt names the concepts more often (default: learn)",
    )
    add_search_options(parser)
    add_output_options(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    search = search_request(arguments)
    if arguments.mode == "concatenate" and arguments.template is not None:
        raise ConfigError("--template works only with --mode learn: give --tokens instead")
    weighted = map(split_weight, arguments.concepts)
    concepts = [(found, weight) for name, weight in weighted for found in expanded_pictures(name)]
    names, weights = zip(*concepts, strict=True)
    tokens = TOKENS if arguments.tokens is None else arguments.tokens
    return _mix(
        MixRequest(search, names, weights, arguments.mode, tokens, arguments.json, arguments.escape)
    )


def _mix(request: MixRequest) -> int:
    from ..applications.mixing import learn_apart
    from ..search.searcher import learn_prompt

    search, names, weights = request.search, request.concepts, request.weights
    items = [picture_or_text(name) for name in names]
    model, dtype = search.model.open()
    targets = named_targets(model, items, weights)
    inputs = {
        "pictures": [name for name, image in items if image is not None],
        "texts": [name for name, image in items if image is None],
        "negatives": [name for name, weight in zip(names, weights, strict=True) if weight < 0],
        "mode": request.mode, "weights": list(weights),
    }  # fmt: skip
    options = search_options(search, model, dtype, inputs)
    with watched(search.config.seconds) as callback:
        if request.mode == "concatenate":
            words = [name if image is None else None for name, image in items]
            result = learn_apart(
                model, targets, words, request.tokens, callback=callback, **options
            )
        else:
            result = learn_prompt(model, targets, search.template, callback=callback, **options)
    return print_result(result, request.as_json, program=request.escape)


def split_weight(concept: str) -> tuple[str, float]:
    """The name and the weight of `name@0.7`. The weight is 1 if a file has that whole name, or if
    no number follows the @. Raises TargetError for an empty name and an impossible weight."""
    name, weight = concept, 1.0
    before, at, number = concept.rpartition("@")
    if at and not _is_file(concept):
        try:
            name, weight = before, float(number)
        except ValueError:  # a text with an @ in it, or a mistake
            if names_picture(before):
                raise TargetError(
                    f"the weight of {before!r} must be a number such as 0.7, got {number!r}"
                ) from None
    if not name.strip():
        raise TargetError(f"the concept {concept!r} is empty: give a picture or some words")
    if not math.isfinite(weight) or not weight:
        raise TargetError(f"the weight of {name!r} must be a number other than 0, got {weight:g}")
    return name, weight


def _is_file(name: str) -> bool:
    with suppress(OSError, ValueError):  # a long text is not a possible file name
        return Path(name).is_file()
    return False
