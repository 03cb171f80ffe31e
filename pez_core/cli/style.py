"""`pez style PICTURE...`: the prompt of a style, and subjects in it."""

from __future__ import annotations

import argparse
from typing import Any

from ..applications.style import APPLIED, apply_style
from ..clip.models import ClipModel
from ..errors import TargetError
from ..pictures import open_picture
from ..search.searcher import learn_prompt
from ..targets import Targets, make_targets
from .named import warn_of_cuts
from .options import add_search_options, search_config, search_template
from .searching import open_model, print_result, search_options, watched


def add_parser(verbs: Any, name: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        allow_abbrev=False,
        help="learn the prompt of a style, and put subjects into it",
        description="Learns one prompt for pictures of one style, and applies it to subjects. "
        "Where the style names what the pictures show, --ban those words.",
    )
    add = parser.add_argument
    add("pictures", nargs="+", metavar="PICTURE", help="pictures of different things in one style")
    add(
        "--subject",
        action="append",
        default=[],
        metavar="TEXT",
        help="what to put into the style; may be repeated",
    )
    add(
        "--apply",
        default=APPLIED,
        metavar="TEMPLATE",
        help="how a subject and the style make a prompt (default: %(default)s)",
    )
    add_search_options(parser)
    add("--json", action="store_true", help="print one JSON object, that of pez invert")
    return parser


def run(arguments: argparse.Namespace) -> int:
    config, template = search_config(arguments), search_template(arguments)
    subjects = arguments.subject
    if not all(text.strip() for text in subjects):
        raise TargetError("an empty text cannot be a subject: give --subject some words")
    apply_style("", (), arguments.apply)  # to tell a wrong template before the search
    pictures = [open_picture(name) for name in arguments.pictures]
    model, dtype = open_model(arguments)
    targets = make_targets(model.encode_pictures(pictures), labels=arguments.pictures)
    asked = {"pictures": arguments.pictures, "texts": [], "negatives": []}
    options = search_options(arguments, model, dtype, config, asked)
    with watched(config.seconds) as callback:
        result = learn_prompt(model, targets, template, callback=callback, **options)
    prompts = apply_style(result.best.text, subjects, arguments.apply)
    applied = _scored(model, subjects, prompts, targets)
    more = {"applied": applied} if subjects else {}
    below = "\n".join(f"{entry['similarity']:.4f}  {entry['prompt']}" for entry in applied)
    return print_result(result, arguments.json, more, below)


def _scored(
    model: ClipModel, subjects: list[str], prompts: list[str], targets: Targets
) -> list[dict[str, Any]]:
    """The prompts of subjects with their own similarity to the style's targets."""
    if not prompts:
        return []
    warn_of_cuts(prompts, model)
    scores = model.score(prompts, targets).tolist()
    return [
        {"subject": subject, "prompt": prompt, "similarity": score}
        for subject, prompt, score in zip(subjects, prompts, scores, strict=True)
    ]
