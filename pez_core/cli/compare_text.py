"""`pez compare-text --model … --data … --holdout …`: several ways to learn a text, several seeds
each, carried to other models: a table of the paper (arXiv 2302.03668 §4.3) by one command."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from ..errors import ConfigError
from ..language_model import TextStep, carried, compare_texts, text_method
from ..language_model.examples import few
from .exit_codes import INTERRUPTED
from .progress import Progress, interruptible
from .text_options import add_text_options, read_data, text_config, text_model, verbalizer_words

# The paper's.
METHODS = ["pez", "pez,fluency=0.003", "autoprompt_sgd", "fluentprompt,fluency=0.003"]
SEEDS = 5  # the paper's prompts of a method


def add_parser(verbs: Any, name: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        allow_abbrev=False,
        help="compare ways to learn a text, over seeds and on other models",
        description="Learns a text by each method from each seed, and prints a table of mean "
        "accuracies on the examples held out, with standard errors: a row a method, a column a "
        "model. --json tells every search as well.",
    )
    add_text_options(parser)
    add = parser.add_argument
    add(
        "--methods",
        nargs="+",
        default=METHODS,
        metavar="METHOD",
        help="OPTIMIZER[,NAME=VALUE]..., such as fluentprompt,fluency=0.003,lr=1 (default: "
        f"{' '.join(METHODS)})",
    )
    add("--seeds", type=int, default=SEEDS, metavar="N", help="0 to N - 1 (default: %(default)s)")
    add(
        "--shots",
        type=int,
        metavar="K",
        help="learn from K examples of each label alone, drawn by the seed (default: all)",
    )
    return parser


def run(arguments: argparse.Namespace) -> int:
    if arguments.seeds < 1:
        raise ConfigError(f"--seeds must be a whole number of at least 1, got {arguments.seeds}")
    if arguments.shots is not None and arguments.shots < 1:
        raise ConfigError(f"--shots must be a whole number of at least 1, got {arguments.shots}")
    if arguments.holdout is None:
        raise ConfigError("a comparison needs a --holdout file to measure on: give one")
    config, verbalizers = text_config(arguments), verbalizer_words(arguments.verbalizer)
    methods = [text_method(name, config) for name in dict.fromkeys(arguments.methods)]
    data, held = read_data(arguments, verbalizers)
    assert held is not None
    if arguments.shots is not None:
        few(data, arguments.shots, seed=0)  # refuses too many before the model is loaded
    after, model = arguments.after, text_model(arguments, arguments.model)
    with Progress(None) as progress, interruptible() as interrupted:

        def watch(method: str, seed: int) -> Any:
            def callback(info: TextStep) -> bool:
                found = f"{info.measure.accuracy:.1%} {info.best}" if info.measure else "looking"
                progress.say(info.step / info.total, info.seconds, f"{method}/{seed} {found}")
                return not interrupted

            return callback

        found = compare_texts(
            model, data, verbalizers, methods, range(arguments.seeds), held, after=after,
            tokens=arguments.tokens, shots=arguments.shots, watch=watch,
        )  # fmt: skip
    stopped = found.entries[-1].learned.stopped == "user"
    del model
    try:
        for name in () if stopped else arguments.transfer_to:
            found = carried(found, text_model(arguments, name), held, verbalizers, after=after)
    finally:  # hours of searches are not lost when another model cannot be loaded
        print(json.dumps(found.to_json()) if arguments.json else found.to_markdown().rstrip())
        print(
            f"accuracy in percent on {len(held)} held-out examples, mean and standard error over "
            f"seeds; {arguments.tokens} tokens",
            file=sys.stderr,
        )
    return INTERRUPTED if stopped else 0
