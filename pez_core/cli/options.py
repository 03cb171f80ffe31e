"""The options of a search, as several verbs share them, and how their help is made."""

from __future__ import annotations

import argparse
from typing import Any

from ..compute.devices import DEVICES, DTYPES
from ..config import DEFAULT, FALSE_POSITIVE_RATE, OPTIMIZERS, PRESETS
from ..escaping import COMFYUI, PROGRAMS
from ..options import OPTIONS, SETTINGS
from ..text.vocabulary import KINDS

TOKENS = 8  # as in the paper's tables


def add_option(parser: argparse._ActionsContainer, name: str, **described: Any) -> None:
    """Adds the option of OPTIONS with that name, with its help and its default.

    described: further arguments of `add_argument`.
    """
    default = shown_default(name, described.get("default"))
    text = f"{OPTIONS[name].help} (default: {default})" if default else OPTIONS[name].help
    parser.add_argument(f"--{name.replace('_', '-')}", **{"help": text, **described})


def shown_default(name: str, default: object = None) -> str:
    """The default of an option, as it is shown; that of a setting with those of the presets."""
    if OPTIONS[name].shown:
        return OPTIONS[name].shown
    if name not in SETTINGS:
        return "" if default in (None, []) else f"{default}"
    usual = getattr(DEFAULT, name)
    values = {preset: getattr(config, name) for preset, config in PRESETS.items()}
    shown = [f"{value} with {preset}" for preset, value in values.items() if value != usual]
    first = f"{usual:g}" if isinstance(usual, float) else f"{usual}"
    return "; ".join([first, *shown])


def add_search_options(
    parser: argparse._ActionsContainer, *, model: str = "demo", compare: bool = False
) -> None:
    """Adds the options of a model, a search and its vocabulary. model: the default. compare:
    several optimizers."""
    add_model_options(parser, model)
    add_option(parser, "device", choices=DEVICES, default="auto")
    add_option(parser, "dtype", choices=DTYPES, default="auto")
    shape = parser.add_mutually_exclusive_group()
    add_option(shape, "tokens", type=int)
    add_option(shape, "template")
    add_optimizer_options(parser, compare)
    add_option(parser, "vocabulary", choices=KINDS)
    add_option(parser, "ban", action="append", default=[], metavar="WORD[,WORD]")
    add_option(parser, "allow", metavar="FILE")
    add_option(parser, "fluency", type=float, metavar="WEIGHT")
    add_avoid_options(parser)
    add_option(parser, "candidates", type=int)


def add_model_options(parser: argparse._ActionsContainer, default: str = "demo") -> None:
    add_option(parser, "model", default=default, metavar="NAME_OR_FILE")
    add_option(parser, "tower")


def add_optimizer_options(parser: argparse._ActionsContainer, compare: bool = False) -> None:
    """Adds the options of a search alone. compare: several optimizers."""
    add_option(parser, "preset", choices=list(PRESETS), default="default")
    if compare:
        parser.add_argument(
            "--optimizers",
            nargs="*",
            default=["pez"],
            metavar="METHOD",
            help=f"what moves the prompts: any of {', '.join(OPTIMIZERS)}. Each may have its own "
            "settings, such as pez,tokens=16 autoprompt_sgd,lr=1. None: only captions are compared "
            "(default: pez)",
        )
    else:
        add_option(parser, "optimizer", choices=OPTIMIZERS)
    add_option(parser, "steps", type=int)
    add_option(parser, "restarts", type=int)
    add_option(parser, "seconds", type=float)
    add_option(parser, "lr", type=float)
    add_option(parser, "weight_decay", type=float)
    add_option(parser, "seed", type=int, default=0)


def add_avoid_options(parser: argparse._ActionsContainer) -> None:
    """Adds the options that name concepts."""
    add_option(parser, "avoid", action="append", default=[], metavar="TEXT_OR_PICTURE")
    add_option(parser, "avoid_file", metavar="FILE")
    add_option(parser, "false_alarms", type=float, default=FALSE_POSITIVE_RATE, metavar="RATE")


def add_output_options(parser: argparse._ActionsContainer) -> None:
    """Adds the options of what is printed."""
    add_option(parser, "escape", nargs="?", const=COMFYUI, type=_program, metavar="PROGRAM")
    add_option(parser, "json", action="store_true")


def _program(name: str) -> str:
    if name not in PROGRAMS:
        raise argparse.ArgumentTypeError(
            f"{name!r} is none of {', '.join(PROGRAMS)}: write one of them, or --escape last"
        )
    return name
