"""`pez compare-text --model … --data … --holdout …`: compares methods, seeds and language models
in one table, as the paper does (arXiv 2302.03668 §4.3)."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from .exit_codes import INTERRUPTED
from .output import write_message, write_result
from .progress import Progress, interruptible
from .text_options import TextRequest, add_text_options, text_request

if TYPE_CHECKING:
    from ..language_model import TextStep

# The methods of the paper.
METHODS = ["pez", "pez,fluency=0.003", "autoprompt_sgd", "fluentprompt,fluency=0.003"]
SEEDS = 5  # the paper has five prompts of each method


@dataclass(frozen=True)
class CompareTextRequest:
    """methods: as `text_method` reads them. seeds: their number. shots: examples of each label to
    learn from; None for all."""

    task: TextRequest
    methods: tuple[str, ...]
    seeds: int
    shots: int | None


def add_parser(verbs: Any, name: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        allow_abbrev=False,
        help="compare methods, seeds and language models in one table",
        description="Learns a text by each method from each seed. Prints a table of mean "
        "accuracies on the held-out examples, with standard errors: one row per method, one column "
        "per model. --json also lists every search.",
    )
    add_text_options(parser)
    add = parser.add_argument
    add(
        "--methods",
        nargs="+",
        default=METHODS,
        metavar="METHOD",
        help="the methods, OPTIMIZER[,NAME=VALUE]..., such as fluentprompt,fluency=0.003,lr=1 "
        f"(default: {' '.join(METHODS)})",
    )
    add(
        "--seeds",
        type=int,
        default=SEEDS,
        metavar="N",
        help="how many seeds each method runs with: 0 to N - 1 (default: %(default)s)",
    )
    add(
        "--shots",
        type=int,
        metavar="K",
        help="learn from only K examples of each label, drawn by the seed (default: all)",
    )
    return parser


def run(arguments: argparse.Namespace) -> int:
    seeds, shots = arguments.seeds, arguments.shots
    if seeds < 1:
        raise ConfigError(f"--seeds must be a whole number of at least 1, got {seeds}")
    if shots is not None and shots < 1:
        raise ConfigError(f"--shots must be a whole number of at least 1, got {shots}")
    if arguments.holdout is None:
        raise ConfigError("a comparison measures on the examples of a --holdout file: give one")
    methods = tuple(dict.fromkeys(arguments.methods))
    return _compare(CompareTextRequest(text_request(arguments), methods, seeds, shots))


def _compare(request: CompareTextRequest) -> int:
    from ..language_model import add_model, compare_texts, text_method
    from ..language_model.examples import few_shot

    task = request.task
    methods = [text_method(name, task.config) for name in request.methods]
    data, held = task.examples()
    assert held is not None
    if request.shots is not None:
        few_shot(data, request.shots, seed=0)  # raises an error before the model is loaded
    model = task.open(task.model)
    with Progress(None) as progress, interruptible() as interrupted:

        def watch(method: str, seed: int) -> Any:
            def callback(info: TextStep) -> bool:
                found = f"{info.measure.accuracy:.1%} {info.best}" if info.measure else "scoring"
                progress.say(info.step / info.total, info.seconds, f"{method}/{seed} {found}")
                return not interrupted

            return callback

        found = compare_texts(
            model, data, task.verbalizers, methods, range(request.seeds), held, after=task.after,
            tokens=task.tokens, shots=request.shots, watch=watch,
        )  # fmt: skip
    stopped = found.entries[-1].learned.stopped == "user"
    del model
    try:
        for name in () if stopped else task.transfer_to:
            found = add_model(found, task.open(name), held, task.verbalizers, after=task.after)
    finally:  # the table is printed even if another model cannot be loaded
        text = json.dumps(found.to_json()) if task.as_json else found.to_markdown().rstrip()
        write_result(text)
        write_message(
            f"accuracy in percent on {len(held)} held-out examples, mean and standard error over "
            f"seeds; {task.tokens} tokens"
        )
    return INTERRUPTED if stopped else 0
