"""`pez learn-text --model … --data …`: the prompt in front of labelled texts by which a language
model names their labels best."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import fields
from typing import Any

from ..config import OPTIMIZERS
from ..devices import DEVICES, find_device
from ..errors import ConfigError
from ..language_model import (
    LearnedText,
    Measure,
    TextConfig,
    TextStep,
    learn_text_prompt,
    load_language_model,
    read_examples,
    score_text,
)
from ..language_model.settings import VOCABULARIES
from .exit_codes import INTERRUPTED
from .progress import Progress, interruptible

TOKENS = 8


def add_parser(verbs: Any, name: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        allow_abbrev=False,
        help="learn the prompt by which a language model names the labels of texts",
    )
    add = parser.add_argument
    add("--model", required=True, metavar="FOLDER_OR_NAME", help="a folder with safetensors, or a "
        "name on the Hugging Face hub, which is downloaded")  # fmt: skip
    add("--data", required=True, metavar="FILE", help=".jsonl or .csv with text and label")
    add("--holdout", metavar="FILE", help="examples for the figures alone (default: a quarter of "
        "--data)")  # fmt: skip
    add(
        "--verbalizer",
        action="append",
        required=True,
        metavar="LABEL=WORD",
        help="the word that stands for a label; one for each",
    )
    add("--after", default="", help='written between a text and the answer, such as " It was"')
    add("--tokens", type=int, default=TOKENS, help="how many to learn (default: %(default)s)")
    add("--optimizer", choices=OPTIMIZERS, help="what moves the prompts (default: pez)")
    add("--steps", type=int, help="of the optimizer")
    add("--restarts", type=int, help="prompts moved together")
    add("--batch-size", type=int, help="examples of a step")
    add("--lr", type=float, help="learning rate")
    add("--weight-decay", type=float)
    add("--fluency", type=float, metavar="WEIGHT", help="share of the loss for prompts that the "
        "model finds likely; the paper's is 0.003 (default: 0)")  # fmt: skip
    add("--vocabulary", choices=VOCABULARIES, help="tokens to learn from (default: words)")
    add("--seconds", type=float, help="stop the search after this time")
    add("--seed", type=int, default=0, help="same seed, same result (default: 0)")
    add("--device", choices=DEVICES, default="auto")
    add("--transfer-to", action="append", default=[], metavar="FOLDER_OR_NAME", help="measure the "
        "prompts on this model as well; may be repeated")  # fmt: skip
    add("--json", action="store_true", help="print one JSON object")
    return parser


def run(arguments: argparse.Namespace) -> int:
    config, verbalizers = _config(arguments), _verbalizers(arguments.verbalizer)
    data = read_examples(arguments.data)
    held = None if arguments.holdout is None else read_examples(arguments.holdout)
    if held is None and arguments.transfer_to:
        raise ConfigError("--transfer-to needs a --holdout file to measure on: give one")
    model = load_language_model(arguments.model, find_device(arguments.device))
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
    for name in arguments.transfer_to:
        other = load_language_model(name, find_device(arguments.device))
        texts = ["", *(candidate.text for candidate in result.candidates)]
        transfers[name] = [
            score_text(other, text, held or [], verbalizers, after=arguments.after)
            for text in texts
        ]
    _print(result, transfers, arguments.json)
    return INTERRUPTED if result.stopped == "user" else 0


def _config(arguments: argparse.Namespace) -> TextConfig:
    """The defaults with the changes that were asked for. Raises ConfigError."""
    asked = {f.name: getattr(arguments, f.name, None) for f in fields(TextConfig)}
    return TextConfig(**{name: value for name, value in asked.items() if value is not None})


def _verbalizers(pairs: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        label, equals, word = pair.rpartition("=")
        if not (label and equals and word.strip()):
            raise ConfigError(f"--verbalizer must be LABEL=WORD, got {pair!r}")
        if label in found:
            raise ConfigError(f"--verbalizer names the label {label!r} twice: give one word each")
        found[label] = word.strip()
    return found


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
