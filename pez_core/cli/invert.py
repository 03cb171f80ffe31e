"""`pez invert PICTURE...`: the prompt of one or several pictures and texts."""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

from ..config import PRESETS, SearchConfig
from ..errors import ConfigError, PictureError, TargetError
from ..models import ClipModel, load_model
from ..pictures import SUFFIXES, open_picture
from ..precision import best_dtype
from ..prompt import LearnedPrompt
from ..search import StepInfo, learn_prompt
from ..targets import Targets, join_targets, make_targets
from ..template import MOST_TOKENS
from ..vocabulary import KINDS, TokenMask, make_mask, read_words, split_bans
from .progress import Progress

TOKENS = 8  # of the paper's tables

log = logging.getLogger(__name__)

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def add_parser(verbs: Any, name: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, allow_abbrev=False, help="learn the prompt of pictures and texts"
    )
    add = parser.add_argument
    add("pictures", nargs="*", metavar="PICTURE", help="several pictures are targets of one prompt")
    add("--text", action="append", default=[], help="a text to come near to; may be repeated")
    add(
        "--negative",
        action="append",
        default=[],
        metavar="PICTURE_OR_TEXT",
        help="to keep away from; may be repeated",
    )
    add("--model", default="demo", metavar="NAME_OR_FILE", help="see `pez models` (default: demo)")
    add("--tower", help="which text encoder of a file that holds several, such as clip_l")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--tokens", type=int, help="how many tokens to learn (default: 8)")
    shape.add_argument("--template", help='fixed words and slots, such as "a photo of {8}, by {4}"')
    add(
        "--preset",
        choices=list(PRESETS),
        default="default",
        help="settings of the search (default: default)",
    )
    add("--steps", type=int, help="PEZ steps of a round")
    add("--restarts", type=int, help="prompts moved together in a round")
    add("--seconds", type=float, help="stop the search after this time")
    add("--lr", type=float, help="learning rate")
    add("--weight-decay", type=float)
    add("--seed", type=int, default=0, help="same seed, same result (default: 0)")
    add("--device", choices=["auto", "cpu", "cuda", "mps"], default="auto")
    add(
        "--dtype",
        choices=["auto", *DTYPES],
        default="auto",
        help="of the text encoder's weights while searching (default: what the device is fast in)",
    )
    add(
        "--vocabulary", choices=KINDS, default="ascii", help="tokens to learn from (default: ascii)"
    )
    add(
        "--ban",
        action="append",
        default=[],
        metavar="WORD[,WORD]",
        help="never use these; cat* also bans cats",
    )
    add("--allow", metavar="FILE", help="use only the words of this file, one or more a line")
    add("--candidates", type=int, help="how many prompts to return at most")
    add("--json", action="store_true", help="print one JSON object")
    return parser


def run(arguments: argparse.Namespace) -> int:
    config, template = _config(arguments), _template(arguments)
    if not (arguments.pictures or arguments.text or arguments.negative):
        raise TargetError("nothing to learn from: give a picture, --text or --negative")
    if not all(text.strip() for text in (*arguments.text, *arguments.negative)):
        raise TargetError("an empty text cannot be a target: give --text and --negative some words")
    pictures = [(name, open_picture(name)) for name in arguments.pictures]
    negatives = [
        (name, open_picture(name) if _is_picture(name) else None) for name in arguments.negative
    ]
    device = _device(arguments.device)
    dtype = DTYPES.get(arguments.dtype) or best_dtype(device)
    model = load_model(
        arguments.model, device, tower=arguments.tower, as_stored=dtype != torch.float32
    )
    texts = [(text, None) for text in arguments.text]
    parts = [_targets(model, [*pictures, *texts], 1.0), _targets(model, negatives, -1.0)]
    targets = join_targets([part for part in parts if part is not None])
    mask = _mask(arguments, model)
    asked = {
        "pictures": arguments.pictures, "texts": arguments.text, "negatives": arguments.negative,
        "vocabulary": arguments.vocabulary, "vocabulary_size": len(mask.ids),
        "banned_tokens": [token.text for token in mask.removed],
        "device": str(model.device), "dtype": str(dtype).removeprefix("torch."),
    }  # fmt: skip
    with Progress(config.seconds) as progress, _interruptible() as interrupted:

        def callback(info: StepInfo) -> bool:
            progress.show(info)
            return not interrupted

        result = learn_prompt(
            model,
            targets,
            template,
            config=config,
            mask=mask,
            seed=arguments.seed,
            callback=callback,
            dtype=dtype,
            settings=asked,
        )
    _print(result, arguments.json)
    return 130 if result.stopped == "user" else 0


def _config(arguments: argparse.Namespace) -> SearchConfig:
    names = ("steps", "restarts", "seconds", "lr", "weight_decay", "candidates")
    changes = {
        name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None
    }
    return PRESETS[arguments.preset].replace(**changes)


def _template(arguments: argparse.Namespace) -> str:
    if arguments.template is not None:
        return str(arguments.template)
    tokens = TOKENS if arguments.tokens is None else arguments.tokens
    if not 1 <= tokens <= MOST_TOKENS:
        raise ConfigError(f"tokens must be between 1 and {MOST_TOKENS}, got {tokens}")
    return f"{{{tokens}}}"


def _device(name: str) -> torch.device:
    usable = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if usable[kind])
    if not usable[name]:
        raise ConfigError(f"this torch cannot use the device {name}: choose --device auto or cpu")
    return torch.device(name)


def _is_picture(name: str) -> bool:
    """Whether a negative target is a picture: a file, or a name that was meant to be one."""
    path = Path(name)
    with suppress(OSError):  # a long text is no possible file name
        if path.is_file():
            return True
    if path.suffix.lower() in SUFFIXES:
        raise PictureError(f"{name}: no such picture")
    return False


def _targets(model: ClipModel, items: list[tuple[str, Any]], weight: float) -> Targets | None:
    """Targets of named pictures, and of texts where there is no picture; all of one weight."""
    if not items:
        return None
    features = []
    images = [image for _, image in items if image is not None]
    if images:
        features.append(model.encode_pictures(images))
    texts = [name for name, image in items if image is None]
    for text in texts:
        if len(model.vocabulary.encode(text)) > MOST_TOKENS:
            log.warning("CLIP reads %d tokens: the rest of %.40r… is cut off", MOST_TOKENS, text)
    if texts:
        features.append(model.encode_texts(texts))
    names = [name for name, image in items if image is not None] + texts
    return make_targets(torch.cat(features), [weight] * len(names), names)


def _mask(arguments: argparse.Namespace, model: ClipModel) -> TokenMask:
    return make_mask(
        model.vocabulary,
        arguments.vocabulary,
        ban=[word for group in arguments.ban for word in split_bans(group)],
        allow=None if arguments.allow is None else read_words(arguments.allow),
        words=model.source.words,
    )


@contextmanager
def _interruptible() -> Iterator[list[bool]]:
    """A list that fills at the first Ctrl-C, for the search to end; the second one breaks off."""
    pressed: list[bool] = []

    def note(signum: int, frame: Any) -> None:
        pressed.append(True)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


def _print(result: LearnedPrompt, as_json: bool) -> None:
    if as_json:
        print(json.dumps(result.to_json()))
        return
    for candidate in result.candidates:
        print(f"{candidate.similarity:.4f}  {candidate.text}")
    print(
        f"{result.steps} steps in {result.seconds:.1f} s, stopped by {result.stopped}; "
        f"model {result.model}, seed {result.seed}",
        file=sys.stderr,
    )
