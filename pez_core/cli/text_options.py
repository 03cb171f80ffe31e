"""The options that `pez learn-text` and `pez compare-text` share, and what they mean."""

from __future__ import annotations

import argparse
from dataclasses import fields

from ..compute.devices import DEVICES, DTYPES, find_device, find_dtype
from ..errors import ConfigError
from ..language_model import (
    Example,
    LanguageModel,
    TextConfig,
    load_language_model,
    read_examples,
)
from ..language_model.examples import Question
from ..language_model.settings import DEFAULT, VOCABULARIES

TOKENS = 8


def add_text_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of a task: a model, examples, words, and what is learned."""
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
    _add_search_options(parser)
    add("--device", choices=DEVICES, default="auto")
    add("--dtype", choices=DTYPES, default="float32", help="of the models (default: %(default)s)")
    add("--transfer-to", action="append", default=[], metavar="FOLDER_OR_NAME", help="measure the "
        "prompts on this model as well; may be repeated")  # fmt: skip
    add("--json", action="store_true", help="print one JSON object")


def _add_search_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--steps", type=int, help=f"of the optimizer (default: {DEFAULT.steps})")
    add("--restarts", type=int, help=f"prompts moved together (default: {DEFAULT.restarts})")
    add("--batch-size", type=int, help=f"examples of a step (default: {DEFAULT.batch_size})")
    add("--lr", type=float, help=f"learning rate (default: {DEFAULT.lr})")
    add("--weight-decay", type=float, help=f"(default: {DEFAULT.weight_decay:g})")
    add("--fluency", type=float, metavar="WEIGHT", help="share of the loss for prompts that the "
        "model finds likely; the paper's is 0.003 (default: 0)")  # fmt: skip
    add("--vocabulary", choices=VOCABULARIES, help="tokens to learn from (default: words)")
    add("--seconds", type=float, help="stop the search after this time (default: no limit)")
    add("--look-every", type=int, metavar="STEPS", help="between two measures of the texts "
        f"(default: {DEFAULT.look_every})")  # fmt: skip
    add("--look-examples", type=int, metavar="N", help="training examples of a measure, by which "
        f"the best text is chosen (default: {DEFAULT.look_examples})")  # fmt: skip


def text_config(arguments: argparse.Namespace) -> TextConfig:
    """The defaults with the changes that were asked for. Raises ConfigError."""
    asked = {f.name: getattr(arguments, f.name, None) for f in fields(TextConfig)}
    return TextConfig(**{name: value for name, value in asked.items() if value is not None})


def verbalizer_words(pairs: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        label, equals, word = pair.rpartition("=")
        if not (label and equals and word.strip()):
            raise ConfigError(f"--verbalizer must be LABEL=WORD, got {pair!r}")
        if label in found:
            raise ConfigError(f"--verbalizer names the label {label!r} twice: give one word each")
        found[label] = word.strip()
    return found


def read_data(
    arguments: argparse.Namespace, verbalizers: dict[str, str]
) -> tuple[list[Example], list[Example] | None]:
    """The examples to learn from and those held out, where a file of them is given. Raises
    TargetError for what cannot be asked about, before a model is loaded."""
    question = Question(verbalizers, arguments.after)

    def read(path: str) -> list[Example]:
        examples = read_examples(path)
        question.check(examples, path)
        question.labels_of(examples)
        return examples

    held = None if arguments.holdout is None else read(arguments.holdout)
    return read(arguments.data), held


def text_model(arguments: argparse.Namespace, name: str) -> LanguageModel:
    """A model on the device and in the precision asked for. Raises ModelError, ConfigError."""
    device = find_device(arguments.device)
    return load_language_model(name, device, find_dtype(arguments.dtype, device))
