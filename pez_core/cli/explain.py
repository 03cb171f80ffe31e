"""`pez explain TEXT --picture PICTURE`: shows what each token of a prompt adds, and what could
replace it."""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, TargetError
from ..painter.settings import PainterSettings, own_settings
from ..prompt import SCHEMA
from ..text.edits import split_words
from ..text.vocabulary import KINDS, TokenMask, make_mask
from .named import expanded, open_named
from .options import add_model_options, add_option
from .output import write_result

if TYPE_CHECKING:
    from PIL import Image

    from ..clip.models import ClipModel
    from ..targets import Targets

ALTERNATIVES = 3


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExplainRequest:
    """model, tower: as for `load_model`. alternatives: at most so many for each word. vocabulary:
    one of KINDS. estimate: whether contributions are estimated from the gradient. painter: what
    measures them instead of the model."""

    text: str
    pictures: tuple[str, ...]
    model: str
    tower: str | None
    alternatives: int
    vocabulary: str
    estimate: bool
    painter: PainterSettings | None
    as_json: bool


def add_parser(verbs: Any, name: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        allow_abbrev=False,
        help="show what each token of a prompt adds, and what could replace it",
    )
    add = parser.add_argument
    add("text", metavar="TEXT", help="the prompt to explain")
    add(
        "--picture",
        action="append",
        required=True,
        help="a picture that the prompt describes; may be repeated",
    )
    add_model_options(parser)
    add(
        "--alternatives",
        type=int,
        default=ALTERNATIVES,
        metavar="N",
        help="how many alternatives to show for each word at most (default: %(default)s)",
    )
    add(
        "--vocabulary",
        choices=KINDS,
        default="words",
        help="the tokens that alternatives are made of (default: words)",
    )
    add(
        "--estimate",
        action="store_true",
        help="estimate from the gradient what tokens add: faster for long prompts, and less exact",
    )
    add(
        "--painter",
        metavar="NAME_OR_FOLDER",
        help="let a painter say what each word adds, instead of the CLIP, which then only proposes "
        "alternatives: demo, the folder of a pipeline of diffusers, or its name on the hub",
    )
    add_option(parser, "json", action="store_true")
    return parser


def run(arguments: argparse.Namespace) -> int:
    if not arguments.text.strip():
        raise TargetError("nothing to explain: give a text with some words")
    if arguments.alternatives < 0:
        raise ConfigError(f"--alternatives must be at least 0, got {arguments.alternatives}")
    if arguments.painter is not None and arguments.estimate:
        raise ConfigError("a painter has no estimate of what words add: leave out --estimate")
    pictures = expanded(arguments.picture)
    if arguments.painter is not None and len(pictures) > 1:
        raise ConfigError("a painter explains a text by one picture: give --picture once")
    return _explain(
        ExplainRequest(
            arguments.text,
            pictures,
            arguments.model,
            arguments.tower,
            arguments.alternatives,
            arguments.vocabulary,
            arguments.estimate,
            None if arguments.painter is None else own_settings(arguments.painter),
            arguments.json,
        )
    )


def _explain(request: ExplainRequest) -> int:
    from ..clip.models import load_model
    from ..targets import make_targets

    pictures = [open_named(name) for name in request.pictures]
    model = load_model(request.model, tower=request.tower)
    targets = make_targets(model.encode_pictures(pictures))
    mask = make_mask(model.vocabulary, request.vocabulary, words=model.source.words)
    if request.painter is not None:
        return _explain_by(request, request.painter, pictures[0], model, targets, mask)
    result = describe(model, request.text, targets, mask, request.alternatives, request.estimate)
    write_result(json.dumps(result) if request.as_json else _table(result))
    return 0


def _explain_by(
    request: ExplainRequest,
    settings: PainterSettings,
    picture: Image.Image,
    model: ClipModel,
    targets: Targets,
    mask: TokenMask,
) -> int:
    """By the error with which a painter denoises the picture. The model proposes alternatives."""
    from ..painter.denoising import PipelineErrors
    from ..painter.pipeline import Painter
    from .explain_by_painter import describe_by, table_by

    painter = Painter(settings, model.device)
    count, read = painter.tokens_read(request.text)
    if count > read:
        log.warning("the painter reads the first %d of %d tokens", read, count)
    errors = PipelineErrors(painter, picture)
    result = describe_by(errors, model, request.text, targets, mask, request.alternatives)
    result |= {"painter": painter.about}
    write_result(json.dumps(result) if request.as_json else table_by(result))
    return 0


def describe(
    model: ClipModel, text: str, targets: Targets, mask: TokenMask, count: int, estimate: bool
) -> dict[str, Any]:
    """The words of a text with their tokens and their `count` best alternatives, ready for JSON.

    A token's contribution is None beyond the 75 that CLIP reads.
    """
    from ..applications.attribution import alternatives, contributions, estimated_contributions

    words = split_words(text, model.vocabulary)
    ids = [token_id for word in words for token_id in word.ids]
    measure = estimated_contributions if estimate else contributions
    added = iter(measure(model, ids, targets))
    others = alternatives(model, words, targets, mask, count=count) if count else [()] * len(words)
    described = [
        {
            "text": word.text,
            "tokens": [
                {"id": t.id, "text": t.text, "contribution": next(added, None)}
                for t in model.vocabulary.tokens(word.ids)
            ],
            "alternatives": [{"text": c.text, "similarity": c.similarity} for c in found],
        }
        for word, found in zip(words, others, strict=True)
    ]
    similarity = model.score([text], targets).item()
    return {
        "schema": SCHEMA,
        "text": text,
        "similarity": similarity,
        "model": model.name,
        "estimated": estimate,
        "words": described,
    }


def _table(result: dict[str, Any]) -> str:
    lines = [f"{'adds':>7}  {'token':16}  in its place"]
    for word in result["words"]:
        others = ", ".join(f"{o['text']} {o['similarity']:.4f}" for o in word["alternatives"])
        for token in word["tokens"]:
            added = token["contribution"]
            shown = "unread" if added is None else f"{added:+.4f}"
            lines.append(f"{shown:>7}  {token['text']:16}  {others}".rstrip())
            others = ""  # of the whole word, so once
    lines += ["", f"similarity {result['similarity']:.4f}"]
    return "\n".join(lines)
