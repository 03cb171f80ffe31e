"""Labelled texts, from JSON lines or CSV, and how the model is asked about them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ..errors import TargetError
from .model import LanguageModel


@dataclass(frozen=True)
class Example:
    text: str
    label: str


@dataclass(frozen=True)
class Question:
    """verbalizers: the word that stands for each label. after: what is written between an input
    and the answer, such as " It was"."""

    verbalizers: Mapping[str, str] = field(hash=False)
    after: str = ""

    def __post_init__(self) -> None:
        words = list(self.verbalizers.values())
        if len(words) < 2:
            raise TargetError(f"at least two labels need a verbalizer word, got {words}")
        if len(set(words)) < len(words):
            raise TargetError(f"each label needs a verbalizer word of its own, got {words}")

    def whole(self, prompt: str, text: str) -> str:
        """What the model is given to read."""
        return f"{prompt} {text}{self.after}" if prompt else f"{text}{self.after}"

    def check(self, examples: Sequence[Example], where: str = "the examples") -> None:
        """Raises TargetError for an example that leaves the model nothing to read. where: they come
        from, for the message."""
        for number, example in enumerate(examples, 1):
            if not self.whole("", example.text):
                raise TargetError(
                    f"example {number} of {where} has an empty text, and nothing is written after "
                    "it: take it out, or give what stands after each text (--after)"
                )

    def labels_of(self, examples: Sequence[Example]) -> torch.Tensor:
        """The numbers of the examples' labels, (X,). Raises TargetError for one without a word."""
        if not examples:
            raise TargetError("nothing to learn from: there is no example")
        numbers = {label: number for number, label in enumerate(self.verbalizers)}
        unknown = sorted({e.label for e in examples} - set(numbers))
        if unknown:
            raise TargetError(
                f"the label {unknown[0]!r} has no verbalizer word, only {', '.join(numbers)} have: "
                f"give one for each label"
            )
        return torch.tensor([numbers[e.label] for e in examples])

    def answers(self, model: LanguageModel) -> torch.Tensor:
        """The token of each label's word, (C,). Raises TargetError for a word of several tokens."""
        ids = []
        for word in self.verbalizers.values():
            pieces = model.continuation(f" {word}")
            if len(pieces) != 1:
                raise TargetError(
                    f"the verbalizer {word!r} is {len(pieces)} tokens of {model.name}, and must be "
                    "one: choose a more common word"
                )
            ids += pieces
        return torch.tensor(ids)


def read_examples(path: str | Path) -> list[Example]:
    """The examples of a .jsonl file with one {"text": …, "label": …} a line, or of a .csv file with
    these two columns. Raises TargetError for a file or a line that cannot be read, and for a
    file without an example."""
    path = Path(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file) if path.suffix.lower() == ".csv" else _json_lines(file)
            examples = [_example(path, number, row) for number, row in enumerate(rows, 1)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TargetError(f"{path} cannot be read: {error}") from error
    except json.JSONDecodeError as error:
        raise TargetError(f"{path}: a line is no JSON: {error.doc.strip()[:40]!r}") from error
    except RecursionError as error:
        raise TargetError(f"{path}: a line is nested too deeply: give text and label") from error
    if not examples:
        raise TargetError(f"{path} holds no example: give lines with a text and a label")
    return examples


def split(
    examples: Sequence[Example], share: float, seed: int
) -> tuple[list[Example], list[Example]]:
    """Examples to learn from, and that share of them held out, drawn at random.

    Raises TargetError when one of the two would be empty.
    """
    held = round(len(examples) * share)
    if not 0 < held < len(examples):
        raise TargetError(
            f"{len(examples)} examples leave nothing on one side with {share:g} of them held out: "
            "give more examples, or a share between 0 and 1"
        )
    order = torch.randperm(len(examples), generator=torch.Generator().manual_seed(seed)).tolist()
    return [examples[i] for i in order[held:]], [examples[i] for i in order[:held]]


def few(examples: Sequence[Example], shots: int, seed: int) -> list[Example]:
    """So many examples of each label, drawn at random: the paper's few-shot setting.

    Raises TargetError when a label has fewer.
    """
    if shots < 1:
        raise TargetError(f"shots must be a whole number of at least 1, got {shots}")
    order = torch.randperm(len(examples), generator=torch.Generator().manual_seed(seed)).tolist()
    drawn: dict[str, list[Example]] = {example.label: [] for example in examples}
    for example in (examples[i] for i in order):
        if len(drawn[example.label]) < shots:
            drawn[example.label].append(example)
    for label, some in drawn.items():
        if len(some) < shots:
            raise TargetError(
                f"{shots} examples of each label are asked for, and {label!r} has {len(some)}: "
                "ask for at most as many as there are"
            )
    return [example for some in drawn.values() for example in some]


def _json_lines(lines: Iterator[str]) -> Iterator[Any]:
    return (json.loads(line) for line in lines if line.strip())


def _example(path: Path, number: int, row: Any) -> Example:
    if not isinstance(row, dict) or row.get("text") is None or row.get("label") is None:
        raise TargetError(f"{path}: example {number} has no text and label, got {str(row)[:60]}")
    return Example(str(row["text"]), str(row["label"]))
