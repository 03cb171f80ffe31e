"""What `pez invert` and `pez invert-folder` share: the options of a search, and what they mean."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from ..compute.devices import DEVICES, DTYPES
from ..config import OPTIMIZERS, PRESETS, SearchConfig
from ..errors import VocabularyError
from ..text.line_files import read_lines
from ..text.template import plain_template
from ..text.vocabulary import KINDS, TokenMask, Vocabulary, make_mask, split_bans
from .avoid import add_avoid_options, avoided

TOKENS = 8  # of the paper's tables


def add_search_options(
    parser: argparse._ActionsContainer, *, model: str = "demo", compare: bool = False
) -> None:
    """Adds the options of a model, a search and its vocabulary. model: the default. compare:
    several optimizers."""
    _add_model_options(parser, model)
    _add_shape_options(parser)
    add_optimizer_options(parser, compare)
    _add_word_options(parser)
    add_avoid_options(parser)
    parser.add_argument("--candidates", type=int, help="how many prompts to return at most")


def _add_model_options(parser: argparse._ActionsContainer, default: str) -> None:
    add = parser.add_argument
    add(
        "--model",
        default=default,
        metavar="NAME_OR_FILE",
        help="see `pez models` (default: %(default)s)",
    )
    add("--tower", help="which text encoder of a file that holds several, such as clip_l")
    add("--device", choices=DEVICES, default="auto")
    add(
        "--dtype",
        choices=DTYPES,
        default="auto",
        help="of the text encoder's weights while searching (default: what the device is fast in)",
    )


def _add_shape_options(parser: argparse._ActionsContainer) -> None:
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--tokens", type=int, help="how many tokens to learn (default: 8)")
    shape.add_argument("--template", help='fixed words and slots, such as "a photo of {8}, by {4}"')


def add_optimizer_options(parser: argparse._ActionsContainer, compare: bool = False) -> None:
    """Adds the options of a search alone. compare: several optimizers."""
    add = parser.add_argument
    add(
        "--preset",
        choices=list(PRESETS),
        default="default",
        help="settings of the search (default: default)",
    )
    if compare:
        add(
            "--optimizers",
            nargs="*",
            default=["pez"],
            metavar="METHOD",
            help=f"what moves the prompts, any of {', '.join(OPTIMIZERS)}, each with settings of "
            "its own where they follow, such as pez,tokens=16 autoprompt_sgd,lr=1; none for "
            "captions alone (default: pez)",
        )
    else:
        add("--optimizer", choices=OPTIMIZERS, help="what moves the prompts (default: pez)")
    add("--steps", type=int, help="the optimizer's steps of a round")
    add("--restarts", type=int, help="prompts moved together in a round")
    add("--seconds", type=float, help="stop the search after this time")
    add("--lr", type=float, help="learning rate")
    add("--weight-decay", type=float)
    add("--seed", type=int, default=0, help="same seed, same result (default: 0)")


def _add_word_options(parser: argparse._ActionsContainer) -> None:
    add = parser.add_argument
    add(
        "--vocabulary",
        choices=KINDS,
        help="tokens to learn from (default: words, or ascii with --allow)",
    )
    add(
        "--ban",
        action="append",
        default=[],
        metavar="WORD[,WORD]",
        help="never use these; cat* also bans cats",
    )
    add("--allow", metavar="FILE", help="use only the words of this file, one or more a line")
    add(
        "--fluency",
        type=float,
        metavar="WEIGHT",
        help="prefer what reads like a caption: the weight of log P(text) per token beside the "
        "similarity, such as 0.01 (default: 0)",
    )


def search_config(arguments: argparse.Namespace) -> SearchConfig:
    """The preset with the changes that were asked for. Raises ConfigError."""
    names = (
        "optimizer",
        "steps",
        "restarts",
        "seconds",
        "lr",
        "weight_decay",
        "candidates",
        "fluency",
    )
    given = {name: getattr(arguments, name, None) for name in names}
    changes = {name: value for name, value in given.items() if value is not None}
    return PRESETS[arguments.preset].replace(**changes)


def search_template(arguments: argparse.Namespace) -> str:
    """The template, or that of so many tokens. Raises ConfigError for a number out of range."""
    if arguments.template is not None:
        return str(arguments.template)
    tokens = TOKENS if arguments.tokens is None else arguments.tokens
    return plain_template(tokens)


def search_mask(
    arguments: argparse.Namespace, vocabulary: Vocabulary, words: Iterable[str] | None
) -> TokenMask:
    """The tokens that may be learned. words: those that the model knows. Raises VocabularyError."""
    return make_mask(
        vocabulary,
        arguments.vocabulary,
        ban=[word for group in arguments.ban for word in split_bans(group)],
        allow=None if arguments.allow is None else read_lines(arguments.allow, VocabularyError),
        words=words,
    )


def asked_settings(arguments: argparse.Namespace, mask: TokenMask) -> dict[str, Any]:
    """What a result's `settings` say beside its targets, its device and the search itself. The
    vocabulary is the one asked for; a guard's words go from it in the search, which tells them."""
    return {**mask.settings, "dtype": arguments.dtype, **avoided(arguments)}
