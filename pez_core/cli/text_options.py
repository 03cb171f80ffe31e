"""The options that `pez learn-text` and `pez compare-text` share, and the request made of them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from ..compute.devices import DEVICES, DTYPES, find_device, find_dtype
from ..errors import ConfigError
from ..language_model.settings import DEFAULT, VOCABULARIES, TextConfig
from ..options import SETTINGS
from .options import TOKENS, add_option

if TYPE_CHECKING:
    from ..language_model import Example, LanguageModel


@dataclass(frozen=True)
class TextRequest:
    """A task for language models, and the settings of the search for its prompt.

    data, holdout: files of examples. verbalizers: the word of each label. after: the text between
    an example and the answer. transfer_to: other models to measure on. device: one of DEVICES.
    dtype: one of DTYPES.
    """

    model: str
    data: str
    holdout: str | None
    verbalizers: dict[str, str]
    after: str
    tokens: int
    config: TextConfig
    device: str
    dtype: str
    transfer_to: tuple[str, ...]
    as_json: bool

    def examples(self) -> tuple[list[Example], list[Example] | None]:
        """The examples to learn from, and those of the holdout file if there is one. Raises
        TargetError for unusable examples, before a model is loaded."""
        from ..language_model.examples import Question, read_examples

        question = Question(self.verbalizers, self.after)

        def read(path: str) -> list[Example]:
            examples = read_examples(path)
            question.check(examples, path)
            question.labels_of(examples)
            return examples

        held = None if self.holdout is None else read(self.holdout)
        return read(self.data), held

    def open(self, name: str) -> LanguageModel:
        """A model on the device and in the precision of the request. Raises ModelError,
        ConfigError."""
        from ..language_model import load_language_model

        device = find_device(self.device)
        return load_language_model(name, device, find_dtype(self.dtype, device))


def add_text_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of a task: models, examples, verbalizers, and settings of the search."""
    add = parser.add_argument
    add(
        "--model",
        required=True,
        metavar="FOLDER_OR_NAME",
        help="a folder with safetensors, or a name on the Hugging Face hub, which is downloaded",
    )
    add(
        "--data",
        required=True,
        metavar="FILE",
        help="the examples to learn from: .jsonl or .csv with text and label",
    )
    add(
        "--holdout",
        metavar="FILE",
        help="the examples to measure on (default: a quarter of --data)",
    )
    add(
        "--verbalizer",
        action="append",
        required=True,
        metavar="LABEL=WORD",
        help="the word that stands for a label; repeat it for each label",
    )
    add("--after", default="", help='the text between an example and the answer, such as " It was"')
    add_option(parser, "tokens", type=int, default=TOKENS)
    _add_search_options(parser)
    add_option(parser, "device", choices=DEVICES, default="auto")
    add(
        "--dtype",
        choices=DTYPES,
        default="float32",
        help="the precision of the models (default: %(default)s)",
    )
    add(
        "--transfer-to",
        action="append",
        default=[],
        metavar="FOLDER_OR_NAME",
        help="also measure the prompts on this model; may be repeated",
    )
    add_option(parser, "json", action="store_true")


def _add_search_options(parser: argparse.ArgumentParser) -> None:
    _add_setting(parser, "steps", "steps of the optimizer", type=int)
    _add_setting(parser, "restarts", "how many prompts to optimize together", type=int)
    _add_setting(parser, "batch_size", "how many examples to draw for each step", type=int)
    _add_setting(parser, "lr", SETTINGS["lr"].meaning, type=float)
    _add_setting(parser, "weight_decay", SETTINGS["weight_decay"].meaning, type=float)
    likely = "the share of the loss for prompts that the model finds likely; the paper uses 0.003"
    _add_setting(parser, "fluency", likely, type=float, metavar="WEIGHT")
    words = "the tokens to learn from: whole words only, or all tokens"
    _add_setting(parser, "vocabulary", words, choices=VOCABULARIES)
    add_option(parser, "seconds", type=float)
    between = "steps between two measurements of the texts"
    _add_setting(parser, "look_every", between, type=int, metavar="STEPS")
    examples = "how many training examples to measure on; the best text is chosen by them"
    _add_setting(parser, "look_examples", examples, type=int, metavar="N")


def _add_setting(
    parser: argparse.ArgumentParser, name: str, meaning: str, **described: Any
) -> None:
    """Adds the option of a field of TextConfig, with its default in the help."""
    default = getattr(DEFAULT, name)
    shown = f"{default:g}" if isinstance(default, float) else default
    text = f"{meaning} (default: {shown})"
    parser.add_argument(f"--{name.replace('_', '-')}", help=text, **described)


def text_request(arguments: argparse.Namespace) -> TextRequest:
    """The request of the parsed arguments. Raises ConfigError."""
    return TextRequest(
        arguments.model,
        arguments.data,
        arguments.holdout,
        _verbalizer_words(arguments.verbalizer),
        arguments.after,
        arguments.tokens,
        _text_config(arguments),
        arguments.device,
        arguments.dtype,
        tuple(arguments.transfer_to),
        arguments.json,
    )


def _text_config(arguments: argparse.Namespace) -> TextConfig:
    """The defaults with the given settings. Raises ConfigError."""
    given = vars(arguments)
    names = (field.name for field in fields(TextConfig))
    return TextConfig(**{name: given[name] for name in names if given.get(name) is not None})


def _verbalizer_words(pairs: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        label, equals, word = pair.rpartition("=")
        if not (label and equals and word.strip()):
            raise ConfigError(f"--verbalizer must be LABEL=WORD, got {pair!r}")
        if label in found:
            raise ConfigError(
                f"--verbalizer names the label {label!r} twice: give one word for each label"
            )
        found[label] = word.strip()
    return found
