"""`pez learn-text --model … --data …`: learns a prompt with which a language model predicts the
labels of texts."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..config import OPTIMIZERS
from ..errors import ConfigError
from .exit_codes import INTERRUPTED
from .options import add_option
from .output import write_message, write_result
from .progress import Progress, interruptible
from .text_options import TextRequest, add_text_options, text_request

if TYPE_CHECKING:
    from ..language_model import LearnedText, Measure, TextStep


@dataclass(frozen=True)
class LearnTextRequest:
    task: TextRequest
    seed: int


def add_parser(verbs: Any, name: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        allow_abbrev=False,
        help="learn a prompt with which a language model predicts the labels of texts",
    )
    add_text_options(parser)
    parser.add_argument(
        "--optimizer", choices=OPTIMIZERS, help="the method that learns the prompts (default: pez)"
    )
    add_option(parser, "seed", type=int, default=0)
    return parser


def run(arguments: argparse.Namespace) -> int:
    return _learn_text(LearnTextRequest(text_request(arguments), arguments.seed))


def _learn_text(request: LearnTextRequest) -> int:
    from ..language_model import learn_text_prompt, score_text

    task = request.task
    data, held = task.examples()
    if held is None and task.transfer_to:
        raise ConfigError("--transfer-to measures on the examples of a --holdout file: give one")
    model = task.open(task.model)
    with Progress(task.config.seconds) as progress, interruptible() as interrupted:

        def callback(info: TextStep) -> bool:
            found = f"{info.measure.accuracy:.1%} {info.best}" if info.measure else "scoring"
            progress.say(info.step / info.total, info.seconds, found)
            return not interrupted

        result = learn_text_prompt(
            model, data, task.verbalizers, holdout=held, after=task.after, tokens=task.tokens,
            config=task.config, seed=request.seed, callback=callback,
        )  # fmt: skip
    del model
    transfers = {}
    texts = ["", *(candidate.text for candidate in result.candidates)]
    stopped = result.stopped == "user"
    try:
        for name in () if stopped else task.transfer_to:
            other = task.open(name)
            transfers[name] = [
                score_text(other, text, held or [], task.verbalizers, after=task.after)
                for text in texts
            ]
    finally:  # the learned prompts are printed even if another model cannot be loaded
        _print(result, transfers, task.as_json)
    return INTERRUPTED if stopped else 0


def _print(result: LearnedText, transfers: dict[str, list[Measure]], as_json: bool) -> None:
    """Prints the result. transfers: by model, the measure of the empty prompt, then that of each
    candidate."""
    if as_json:
        found = {name: [m.to_json() for m in measures] for name, measures in transfers.items()}
        write_result(json.dumps({**result.to_json(), "transfers": found}))
        return
    prompts = [("", result.empty), *((c.text, c.holdout) for c in result.candidates)]
    lines = []
    for place, (text, own) in enumerate(prompts[1:] + prompts[:1], 1):
        others = [
            f"{name} {measures[place % len(prompts)].accuracy:.1%}"
            for name, measures in transfers.items()
        ]
        columns = (f"{own.accuracy:6.1%}", f"{own.loss:.4f}", *others, text or "(no prompt)")
        lines.append("  ".join(columns))
    write_result("\n".join(lines))
    write_message(
        f"accuracy and loss of {result.empty.count} held-out examples; {result.steps} steps in "
        f"{result.seconds:.1f} s, stopped by {result.stopped}; model {result.model}, seed "
        f"{result.seed}"
    )
