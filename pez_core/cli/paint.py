"""`pez paint TEXT --out FILE`: paints pictures of a text."""

from __future__ import annotations

import argparse
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..compute.devices import DEVICES
from ..painter.settings import DEMO, PainterSettings
from .options import add_option
from .output import write_result
from .painter_options import (
    add_painter_option,
    add_painting_options,
    painter_settings,
    png_path,
)  # fmt: skip

log = logging.getLogger(__name__)

_ABOUT = """
Paints pictures of a text with the embedded painter, or with any text-to-image model that diffusers
loads. The embedded one paints clip-art of 48 x 48 pixels offline; it shows what words mean to the
embedded CLIP. FILE is a PNG; the text and the settings are in it as `parameters`, where ComfyUI and
A1111 look for them. Pictures with a side below 192 pixels are enlarged.
"""


@dataclass(frozen=True)
class PaintRequest:
    """seeds: of the pictures. device: one of DEVICES."""

    text: str
    out: Path
    painter: PainterSettings
    seeds: list[int]
    device: str


def add_parser(verbs: Any, name: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        allow_abbrev=False,
        help="paint pictures of a text",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("text", metavar="TEXT", help="the text to paint; may be empty")
    parser.add_argument(
        "--out",
        required=True,
        metavar="FILE",
        help="the PNG to write; with several --images FILE-1, FILE-2 and so on",
    )
    add_painter_option(parser)
    add_painting_options(parser)
    parser.add_argument(
        "--seed", type=int, default=0, help="of the first picture's noise (default: %(default)s)"
    )
    add_option(parser, "device", choices=DEVICES, default="auto")
    return parser


def run(arguments: argparse.Namespace) -> int:
    out = png_path("out", arguments.out)
    painter = painter_settings(arguments, DEMO)
    seeds = painter.noise_seeds(arguments.seed)
    return _paint(PaintRequest(arguments.text, out, painter, seeds, arguments.device))


def _paint(request: PaintRequest) -> int:
    from ..compute.devices import find_device
    from ..painter.picture_file import save_painted
    from ..painter.pipeline import Painter

    painter = Painter(request.painter, find_device(request.device))
    count, read = painter.tokens_read(request.text)
    if read < count:
        log.warning("the text has %d tokens, of which the painter reads the first %d", count, read)
    out = request.out
    for number, seed in enumerate(request.seeds, 1):
        one = len(request.seeds) == 1
        path = out if one else out.with_name(f"{out.stem}-{number}{out.suffix}")
        image = painter.paint_one(request.text, seed)
        save_painted(image, path, painter, request.text, seed)
        write_result(f"{path}")
    return 0
