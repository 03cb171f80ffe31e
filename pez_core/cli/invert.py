"""`pez invert PICTURE...`: learns the prompt of one or several pictures and texts."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, TargetError
from ..painter.settings import ROUNDS, PainterSettings, own_settings
from .named import expanded, expanded_pictures, named_targets, open_named, picture_or_text
from .options import add_option, add_output_options, add_search_options
from .output import write_message
from .painter_options import painter_of, png_path
from .progress import Progress, interruptible
from .request import SearchRequest, search_request
from .searching import print_result, search_options, watched

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from ..painter.ranking import Ranking
    from ..prompt import Candidate, LearnedPrompt

IMAGES = 4  # on a sheet


@dataclass(frozen=True)
class InvertRequest:
    """pictures, texts: targets to be near to. negatives: pictures and texts to keep away from.
    chooser: the painter that chooses among the candidates."""

    search: SearchRequest
    pictures: tuple[str, ...]
    texts: tuple[str, ...]
    negatives: tuple[str, ...]
    as_json: bool
    escape: str | None
    paint: SheetRequest | None
    chooser: PainterSettings | None


@dataclass(frozen=True)
class SheetRequest:
    """The file to write a sheet to, what paints it, and the seeds of its pictures."""

    path: Path
    painter: PainterSettings
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
    return parser


def run(arguments: argparse.Namespace) -> int:
    if not (arguments.pictures or arguments.text or arguments.negative):
        raise TargetError("nothing to learn from: give a picture, --text or --negative")
    if not all(text.strip() for text in (*arguments.text, *arguments.negative)):
        raise TargetError("an empty text cannot be a target: give --text and --negative some words")
    pictures = expanded(arguments.pictures)
    return _invert(
        InvertRequest(
            search_request(arguments),
            pictures,
            tuple(arguments.text),
            tuple(found for name in arguments.negative for found in expanded_pictures(name)),
            arguments.json,
            arguments.escape,
            _sheet_request(arguments),
            _chooser(arguments, pictures),
        )
    )


def _sheet_request(arguments: argparse.Namespace) -> SheetRequest | None:
    if arguments.paint is None:
        return None
    painter = arguments.painter or painter_of(arguments.model)
    if painter is None:
        raise ConfigError(
            "--paint needs --painter: the folder or the name of the model that you paint with"
        )
    settings = replace(own_settings(painter), images=IMAGES)
    path = png_path("paint", arguments.paint)
    return SheetRequest(path, settings, settings.noise_seeds(arguments.seed))


def _chooser(arguments: argparse.Namespace, pictures: tuple[str, ...]) -> PainterSettings | None:
    if arguments.painter is not None and len(pictures) == 1:
        return own_settings(arguments.painter)
    if arguments.painter is not None and arguments.paint is None:
        raise ConfigError(
            f"--painter chooses by one picture, and there are {len(pictures)}: give one, or "
            "--paint FILE"
        )
    return None


def _invert(request: InvertRequest) -> int:
    from ..search.searcher import learn_prompt

    search = request.search
    painter = request.paint.painter if request.paint else request.chooser
    if painter:
        from ..painter.loading import require_diffusers, require_painter

        require_diffusers()  # before the search
        require_painter(painter.painter)
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
    if request.chooser:
        ((_, picture),) = near[: len(request.pictures)]
        assert picture is not None
        result = _chosen(request.chooser, picture, result, model.device)
    code = print_result(result, request.as_json, program=request.escape)
    if request.paint:
        pictures = [picture for _, picture in near if picture is not None]
        _paint(request.paint, pictures, result.best, model.device)
    return code


def _chosen(
    settings: PainterSettings, picture: Image.Image, result: LearnedPrompt, device: torch.device
) -> LearnedPrompt:
    """The candidates in the painter's order."""
    from ..painter.choosing import chosen_by
    from ..painter.denoising import PipelineErrors
    from ..painter.pipeline import Painter

    painter = Painter(settings, device)
    errors = PipelineErrors(painter, picture, result.seed)
    with interruptible() as pressed, Progress(None) as bar:

        def show(found: Ranking) -> bool:
            best = found.prompts[0]
            bar.say(found.rounds / ROUNDS, found.seconds, f"choose {best.error:.3f} {best.prompt}")
            return bool(pressed)

        return chosen_by(errors, result, painter.about, callback=show)


def _paint(
    sheet: SheetRequest, pictures: list[Image.Image], best: Candidate, device: torch.device
) -> None:
    from ..painter.loop_sheet import draw_loop, save_loop
    from ..painter.pipeline import Painter

    painter = Painter(sheet.painter, device)
    painted = [painter.paint_one(best.text, seed) for seed in sheet.seeds]
    name = painter.about["pipeline"]
    drawn = draw_loop(pictures, best.text, best.similarity, painted, name)
    save_loop(drawn, sheet.path, best.text)
    write_message(f"painted {sheet.path}")
