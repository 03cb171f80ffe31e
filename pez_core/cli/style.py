"""`pez style PICTURE...`: learns the prompt of a style and applies it to subjects."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..applications.style import APPLIED, apply_style
from ..errors import TargetError
from ..escaping import COMFYUI, escape
from .named import expanded, open_named, warn_of_cuts
from .options import add_output_options, add_search_options
from .request import SearchRequest, search_request
from .searching import escaped, print_result, search_options, watched

if TYPE_CHECKING:
    from ..clip.models import ClipModel
    from ..targets import Targets


@dataclass(frozen=True)
class StyleRequest:
    """apply: the template that joins a subject and the style."""

    search: SearchRequest
    pictures: tuple[str, ...]
    subjects: tuple[str, ...]
    apply: str
    as_json: bool
    escape: str | None


def add_parser(verbs: Any, name: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        allow_abbrev=False,
        help="learn the prompt of a style and apply it to subjects",
        description="Learns one prompt for pictures in one style and applies it to subjects. "
        "If the prompt names what the pictures show, --ban those words.",
    )
    add = parser.add_argument
    add("pictures", nargs="+", metavar="PICTURE", help="pictures of different things in one style")
    add(
        "--subject",
        action="append",
        default=[],
        metavar="TEXT",
        help="what to show in the style; may be repeated",
    )
    add(
        "--apply",
        default=APPLIED,
        metavar="TEMPLATE",
        help="how to join a subject and the style (default: %(default)s)",
    )
    add_search_options(parser)
    add_output_options(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    if not all(text.strip() for text in arguments.subject):
        raise TargetError("an empty text cannot be a subject: give --subject some words")
    apply_style("", (), arguments.apply)  # refuses a wrong template before the search
    return _style(
        StyleRequest(
            search_request(arguments),
            expanded(arguments.pictures),
            tuple(arguments.subject),
            arguments.apply,
            arguments.json,
            arguments.escape,
        )
    )


def _style(request: StyleRequest) -> int:
    from ..search.searcher import learn_prompt
    from ..targets import make_targets

    search, subjects = request.search, request.subjects
    pictures = [open_named(name) for name in request.pictures]
    model, dtype = search.model.open()
    targets = make_targets(model.encode_pictures(pictures), labels=request.pictures)
    inputs = {"pictures": list(request.pictures), "texts": [], "negatives": []}
    options = search_options(search, model, dtype, inputs)
    with watched(search.config.seconds) as callback:
        result = learn_prompt(model, targets, search.template, callback=callback, **options)
    prompts = apply_style(result.best.text, subjects, request.apply)
    applied = _scored(model, subjects, prompts, targets, request.escape)
    more = {"applied": applied} if subjects else {}
    below = "\n".join(
        f"{entry['similarity']:.4f}  {escaped(entry['prompt'], request.escape)}"
        for entry in applied
    )
    return print_result(result, request.as_json, more, below, request.escape)


def _scored(
    model: ClipModel,
    subjects: Sequence[str],
    prompts: list[str],
    targets: Targets,
    program: str | None,
) -> list[dict[str, Any]]:
    """The prompts of the subjects, each with its similarity to the style's targets. program: the
    one that they are escaped for."""
    if not prompts:
        return []
    warn_of_cuts(prompts, model)
    scores = model.score(prompts, targets).tolist()
    return [
        {
            "subject": subject,
            "prompt": prompt,
            "escaped": escape(prompt, program or COMFYUI),
            "similarity": score,
        }
        for subject, prompt, score in zip(subjects, prompts, scores, strict=True)
    ]
