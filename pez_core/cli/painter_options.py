"""The options of a painter, which verbs that paint share, and how they are read."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..compute.devices import DTYPES
from ..errors import ConfigError
from ..options import OPTIONS
from ..painter.settings import DEMO, PainterSettings, own_settings

_DEFAULT, _DEMO = PainterSettings(), own_settings(DEMO)


def add_painter_option(parser: argparse._ActionsContainer) -> None:
    """Adds the painter of a verb that needs one."""
    parser.add_argument(
        "--painter",
        metavar="NAME_OR_FOLDER",
        help=f"{OPTIONS['painter'].help} (default: {DEMO})",
    )


def add_size_and_dtype(parser: argparse._ActionsContainer) -> None:
    """Adds the size of the painter's pictures and its precision."""
    parser.add_argument(
        "--size",
        type=int,
        metavar="PIXELS",
        help="width and height of each picture (default: the painter's own)",
    )
    parser.add_argument(
        "--diffusion-dtype",
        choices=DTYPES,
        default=_DEFAULT.dtype,
        help="the precision of the painter (default: float16 on a GPU, else float32)",
    )


def add_painting_options(parser: argparse._ActionsContainer) -> None:
    """Adds the options of how a painter paints."""
    add = parser.add_argument
    add(
        "--images",
        type=int,
        default=_DEFAULT.images,
        help="how many pictures to paint from each prompt (default: %(default)s)",
    )
    add(
        "--guidance",
        type=float,
        help="the scale of classifier-free guidance (default: "
        f"{_DEFAULT.guidance:g}; {_DEMO.guidance:g} for {DEMO})",
    )
    add(
        "--diffusion-steps",
        type=int,
        help="denoising steps of each picture (default: "
        f"{_DEFAULT.steps}; {_DEMO.steps} for {DEMO})",
    )
    add(
        "--scheduler",
        metavar="CLASS",
        help="a scheduler class of diffusers (default: the painter's own)",
    )
    add_size_and_dtype(parser)


def painter_settings(arguments: argparse.Namespace, default: str) -> PainterSettings:
    """default: the painter if none is given. Raises ConfigError for a number out of range."""
    own = own_settings(arguments.painter or default)
    given: dict[str, Any] = {"guidance": arguments.guidance, "steps": arguments.diffusion_steps}
    return replace(
        own,
        **{name: value for name, value in given.items() if value is not None},
        images=arguments.images,
        size=arguments.size,
        scheduler=arguments.scheduler,
        dtype=arguments.diffusion_dtype,
    )


def painter_of(model: str) -> str | None:
    """The included painter that reads prompts with the text encoder of a model, if there is one."""
    return DEMO if model == "demo" else None


def png_path(option: str, name: str) -> Path:
    """The path of a picture to write. Raises ConfigError if it cannot be one."""
    path = Path(name)
    if path.suffix.lower() != ".png":
        raise ConfigError(f"{option} must be the name of a .png file, got {name!r}")
    if path.is_dir() or not path.parent.is_dir():
        raise ConfigError(f"{option} must be a file in a folder that exists, got {name!r}")
    return path
