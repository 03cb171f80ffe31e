"""`pez learn-text --model … --data …`: the prompt in front of labelled texts by which a language
model names their labels best."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from ..config import OPTIMIZERS
from ..errors import ConfigError
from ..language_model import (
    LearnedText,
    Measure,
    TextStep,
    learn_text_prompt,
    score_text,
)
from .exit_codes import INTERRUPTED
from .progress import Progress, interruptible
from .text_options import add_text_options, read_data, text_config, text_model, verbalizer_words


def add_parser(verbs: Any, name: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        allow_abbrev=False,
        help="learn the prompt by which a language model names the labels of texts",
    )
    add_text_options(parser)
    add = parser.add_argument
    add("--optimizer", choices=OPTIMIZERS, help="what moves the prompts (default: pez)")
    add("--seed", type=int, default=0, help="same seed, same result (default: 0)")
    return parser


def run(arguments: argparse.Namespace) -> int:
    config, verbalizers = text_config(arguments), verbalizer_words(arguments.verbalizer)
    data, held = read_data(arguments, verbalizers)
    if held is None and arguments.transfer_to:
        raise ConfigError("--transfer-to needs a --holdout file to measure on: give one")
    model = text_model(arguments, arguments.model)
    with Progress(config.seconds) as progress, interruptible() as interrupted:

        def callback(info: TextStep) -> bool:
            found = f"{info.measure.accuracy:.1%} {info.best}" if info.measure else "looking"
            progress.say(info.step / info.total, info.seconds, found)
            return not interrupted

        result = learn_text_prompt(
            model, data, verbalizers, holdout=held, after=arguments.after,
            tokens=arguments.tokens, config=config, seed=arguments.seed, callback=callback,
        )  # fmt: skip
    del model
    transfers = {}
    texts = ["", *(candidate.text for candidate in result.candidates)]
    stopped = result.stopped == "user"
    try:
        for name in () if stopped else arguments.transfer_to:
            other = text_model(arguments, name)
            transfers[name] = [
                score_text(other, text, held or [], verbalizers, after=arguments.after)
                for text in texts
            ]
    finally:  # what was learned is not lost when another model cannot be loaded
        _print(result, transfers, arguments.json)
    return INTERRUPTED if stopped else 0


def _print(result: LearnedText, transfers: dict[str, list[Measure]], as_json: bool) -> None:
    """transfers: by model what the empty prompt and then each candidate are worth there."""
    if as_json:
        there = {name: [m.to_json() for m in measures] for name, measures in transfers.items()}
        print(json.dumps({**result.to_json(), "transfers": there}))
        return
    prompts = [("", result.empty), *((c.text, c.holdout) for c in result.candidates)]
    for place, (text, own) in enumerate(prompts[1:] + prompts[:1], 1):
        others = [
            f"{name} {measures[place % len(prompts)].accuracy:.1%}"
            for name, measures in transfers.items()
        ]
        columns = (f"{own.accuracy:6.1%}", f"{own.loss:.4f}", *others, text or "(no prompt)")
        print(*columns, sep="  ")
    print(
        f"accuracy and loss of {result.empty.count} held-out examples; {result.steps} steps in "
        f"{result.seconds:.1f} s, stopped by {result.stopped}; model {result.model}, seed "
        f"{result.seed}",
        file=sys.stderr,
    )
