"""`pez mix PICTURE_OR_TEXT...`: one prompt of several concepts, learned at once or one by one."""

from __future__ import annotations

import argparse
import math
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..applications.mixing import learn_apart
from ..errors import ConfigError, TargetError
from ..pictures import is_picture
from ..search.searcher import learn_prompt
from .named import named_targets, picture_or_text
from .options import TOKENS, add_search_options, search_config, search_template
from .searching import open_model, print_result, search_options, watched

MODES = ("learn", "concatenate")


def add_parser(verbs: Any, name: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        allow_abbrev=False,
        help="mix pictures and texts into one prompt",
        description="Mixes concepts, each a picture or a text with a weight, into one prompt.",
    )
    add = parser.add_argument
    add(
        "concepts",
        nargs="+",
        metavar="PICTURE_OR_TEXT[@WEIGHT]",
        help="such as fox.png@0.7 or 'an oil painting'; the weight is 1 if left out, negative to "
        "keep away",
    )
    add(
        "--mode",
        choices=MODES,
        default="learn",
        help="learn: new words for all at once, nearer to the one that comes off worse (default). "
        "concatenate: words learned for each picture and those of each text, one behind the other, "
        "within --tokens; they name the things more often",
    )
    add_search_options(parser)
    add("--json", action="store_true", help="print one JSON object, that of pez invert")
    return parser


def run(arguments: argparse.Namespace) -> int:
    config, template = search_config(arguments), search_template(arguments)
    apart = arguments.mode == "concatenate"
    if apart and arguments.template is not None:
        raise ConfigError("--template is of use with --mode learn: give --tokens in its place")
    names, weights = zip(*map(split_weight, arguments.concepts), strict=True)
    items = [picture_or_text(name) for name in names]
    model, dtype = open_model(arguments)
    targets = named_targets(model, items, weights)
    asked = {
        "pictures": [name for name, image in items if image is not None],
        "texts": [name for name, image in items if image is None],
        "negatives": [name for name, weight in zip(names, weights, strict=True) if weight < 0],
        "mode": arguments.mode, "weights": list(weights),
    }  # fmt: skip
    options = search_options(arguments, model, dtype, config, asked)
    with watched(config.seconds) as callback:
        if apart:
            words = [name if image is None else None for name, image in items]
            tokens = TOKENS if arguments.tokens is None else arguments.tokens
            result = learn_apart(model, targets, words, tokens, callback=callback, **options)
        else:
            result = learn_prompt(model, targets, template, callback=callback, **options)
    return print_result(result, arguments.json)


def split_weight(concept: str) -> tuple[str, float]:
    """The name and the weight of `name@0.7`; of a file that is called so, and where no number
    follows, the weight is 1. Raises TargetError for an empty name and a weight that cannot be."""
    name, weight = concept, 1.0
    before, at, number = concept.rpartition("@")
    if at and not _is_file(concept):
        try:
            name, weight = before, float(number)
        except ValueError:  # a text with an @ in it, or a mistake
            if is_picture(before):
                raise TargetError(
                    f"the weight of {before!r} must be a number such as 0.7, got {number!r}"
                ) from None
    if not name.strip():
        raise TargetError(f"the concept {concept!r} is empty: give a picture or some words")
    if not math.isfinite(weight) or not weight:
        raise TargetError(f"the weight of {name!r} must be a number other than 0, got {weight:g}")
    return name, weight


def _is_file(name: str) -> bool:
    with suppress(OSError):  # a long text is no possible file name
        return Path(name).is_file()
    return False
