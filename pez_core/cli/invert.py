"""`pez invert PICTURE...`: the prompt of one or several pictures and texts."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from ..devices import find_device, find_dtype
from ..errors import PictureError, TargetError
from ..models import ClipModel, load_model
from ..pictures import SUFFIXES, open_picture
from ..prompt import LearnedPrompt
from ..search import StepInfo, learn_prompt
from ..targets import Targets, make_targets
from ..template import MOST_TOKENS
from .options import (
    add_search_options,
    asked_settings,
    search_config,
    search_mask,
    search_template,
)
from .progress import Progress, interruptible

log = logging.getLogger(__name__)


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
    add_search_options(parser)
    add("--json", action="store_true", help="print one JSON object")
    return parser


def run(arguments: argparse.Namespace) -> int:
    config, template = search_config(arguments), search_template(arguments)
    if not (arguments.pictures or arguments.text or arguments.negative):
        raise TargetError("nothing to learn from: give a picture, --text or --negative")
    if not all(text.strip() for text in (*arguments.text, *arguments.negative)):
        raise TargetError("an empty text cannot be a target: give --text and --negative some words")
    near = [
        *((name, open_picture(name)) for name in arguments.pictures),
        *((text, None) for text in arguments.text),
    ]
    away = [
        (name, open_picture(name) if _is_picture(name) else None) for name in arguments.negative
    ]
    device = find_device(arguments.device)
    dtype = find_dtype(arguments.dtype, device)
    model = load_model(
        arguments.model, device, tower=arguments.tower, as_stored=dtype != torch.float32
    )
    targets = _targets(model, [*near, *away], [1.0] * len(near) + [-1.0] * len(away))
    mask = search_mask(arguments, model.vocabulary, model.source.words)
    asked = {
        "pictures": arguments.pictures, "texts": arguments.text, "negatives": arguments.negative,
        **asked_settings(arguments, mask), "device": str(model.device),
        "precision": str(dtype).removeprefix("torch."),
    }  # fmt: skip
    with Progress(config.seconds) as progress, interruptible() as interrupted:

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


def _is_picture(name: str) -> bool:
    """Whether a negative target is a picture: a file, or a name that was meant to be one."""
    path = Path(name)
    with suppress(OSError):  # a long text is no possible file name
        if path.is_file():
            return True
    if path.suffix.lower() in SUFFIXES:
        raise PictureError(f"{name}: no such picture")
    return False


def _targets(
    model: ClipModel, items: list[tuple[str, Image.Image | None]], weights: list[float]
) -> Targets:
    """Targets of named pictures, and of texts where there is no picture, each with its weight."""
    images = [image for _, image in items if image is not None]
    texts = [name for name, image in items if image is None]
    for text in texts:
        if len(model.vocabulary.encode(text)) > MOST_TOKENS:
            log.warning("CLIP reads %d tokens: the rest of %.40r… is cut off", MOST_TOKENS, text)
    # All at once, near or away: every call reads the image tower from disk.
    seen = iter(model.encode_pictures(images) if images else ())
    read = iter(model.encode_texts(texts) if texts else ())
    features = [next(read if image is None else seen) for _, image in items]
    return make_targets(torch.stack(features), weights, [name for name, _ in items])


def _print(result: LearnedPrompt, as_json: bool) -> None:
    if as_json:
        print(json.dumps(result.to_json()))
        return
    for candidate in result.candidates:
        each = ", ".join(f"{name} {s:.4f}" for name, s in candidate.similarities.items())
        columns = (f"{candidate.similarity:.4f}", each and f"({each})", candidate.text)
        print(*filter(None, columns), sep="  ")
    print(
        f"{result.steps} steps in {result.seconds:.1f} s, stopped by {result.stopped}; "
        f"model {result.model}, seed {result.seed}",
        file=sys.stderr,
    )
