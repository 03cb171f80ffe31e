"""`pez invert PICTURE...`: learns the prompt of one or several pictures and texts."""

from __future__ import annotations

import argparse
import logging
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, TargetError
from ..painter.settings import PainterSettings, own_settings
from .named import expanded, expanded_pictures, named_targets, open_named, picture_or_text
from .options import add_option, add_output_options, add_search_options
from .output import write_message
from .painter_choice import chosen_by_painter
from .painter_options import painter_of, png_path
from .progress import Progress
from .request import SearchRequest, search_request
from .searching import print_result, search_options, watched

if TYPE_CHECKING:
    from PIL import Image

    from ..painter.pipeline import Painter
    from ..prompt import Candidate

log = logging.getLogger(__name__)
IMAGES = 4  # on a sheet


@dataclass(frozen=True)
class InvertRequest:
    """pictures, texts: targets to be near to. negatives: pictures and texts to keep away from.
    painter: what paints the sheet. chooses: whether it also chooses among the candidates. edits:
    how many edits of its choice it may take."""

    search: SearchRequest
    pictures: tuple[str, ...]
    texts: tuple[str, ...]
    negatives: tuple[str, ...]
    as_json: bool
    escape: str | None
    painter: PainterSettings | None
    chooses: bool
    edits: int
    sheet: SheetRequest | None


@dataclass(frozen=True)
class SheetRequest:
    """The file to write a sheet to, and the seeds of its pictures."""

    path: Path
    seeds: list[int]


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
    painting = parser.add_argument_group("painting, with diffusers")
    add_option(painting, "paint", metavar="FILE")
    add_option(painting, "painter", metavar="NAME_OR_FOLDER")
    add_option(painting, "painter_edits", type=int, default=0, metavar="N")
    return parser


def run(arguments: argparse.Namespace) -> int:
    if not (arguments.pictures or arguments.text or arguments.negative):
        raise TargetError("nothing to learn from: give a picture, --text or --negative")
    if not all(text.strip() for text in (*arguments.text, *arguments.negative)):
        raise TargetError("an empty text cannot be a target: give --text and --negative some words")
    pictures, painter = expanded(arguments.pictures), _painter(arguments)
    sheet = None
    if painter is not None and arguments.paint is not None:
        path = png_path("paint", arguments.paint)
        sheet = SheetRequest(path, painter.noise_seeds(arguments.seed))
    return _invert(
        InvertRequest(
            search_request(arguments),
            pictures,
            tuple(arguments.text),
            tuple(found for name in arguments.negative for found in expanded_pictures(name)),
            arguments.json,
            arguments.escape,
            painter,
            _chooses(arguments, pictures),
            _edits(arguments, pictures),
            sheet,
        )
    )


def _painter(arguments: argparse.Namespace) -> PainterSettings | None:
    if arguments.painter is None and arguments.paint is None:
        return None
    painter = arguments.painter or painter_of(arguments.model)
    if painter is None:
        raise ConfigError(
            "--paint needs --painter: the folder or the name of the model that you paint with"
        )
    return replace(own_settings(painter), images=IMAGES)


def _chooses(arguments: argparse.Namespace, pictures: tuple[str, ...]) -> bool:
    chooses = arguments.painter is not None and len(pictures) == 1
    if arguments.painter is not None and not chooses and arguments.paint is None:
        raise ConfigError(
            f"--painter chooses by one picture, and there are {len(pictures)}: give one, or "
            "--paint FILE"
        )
    return chooses


def _edits(arguments: argparse.Namespace, pictures: tuple[str, ...]) -> int:
    edits: int = arguments.painter_edits
    if edits < 0:
        raise ConfigError(f"--painter-edits must be at least 0, got {edits}")
    if edits and not _chooses(arguments, pictures):
        raise ConfigError("--painter-edits needs --painter NAME_OR_FOLDER and one picture")
    return edits


def _invert(request: InvertRequest) -> int:
    from ..search.searcher import learn_prompt

    search = request.search
    if request.painter:
        from ..painter.loading import require_diffusers, require_painter

        require_diffusers()  # before the search
        require_painter(request.painter.painter)
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
    pictures = [picture for _, picture in near if picture is not None]

    @cache
    def painter() -> Painter:
        from ..painter.pipeline import Painter

        assert request.painter is not None
        with Progress(None) as bar:
            bar.say(0.0, 0.0, "loading the painter")
            return Painter(request.painter, model.device)

    seen = None
    if request.chooses:  # a painter that does not fit fails before the search
        from ..painter.denoising import PipelineErrors

        seen = PipelineErrors(painter(), pictures[0], options["seed"])
    with watched(search.config.seconds) as callback:
        result = learn_prompt(model, targets, search.template, callback=callback, **options)
    if seen and result.stopped == "user":
        log.warning("the painter was not asked, as the search was stopped")
    elif seen:
        from ..applications.word_edits import proposer

        result = chosen_by_painter(
            seen, painter().about, result, request.edits,
            proposer(model, targets, search.template, options["mask"], options["guard"]),
        )  # fmt: skip
    code = print_result(result, request.as_json, program=request.escape)
    if request.sheet:
        _paint(painter(), request.sheet, pictures, result.best)
    return code


def _paint(
    painter: Painter, sheet: SheetRequest, pictures: list[Image.Image], best: Candidate
) -> None:
    from ..painter.loop_sheet import draw_loop, save_loop

    painted = [painter.paint_one(best.text, seed) for seed in sheet.seeds]
    name = painter.about["pipeline"]
    drawn = draw_loop(pictures, best.text, best.similarity, painted, name)
    save_loop(drawn, sheet.path, best.text)
    write_message(f"painted {sheet.path}")
