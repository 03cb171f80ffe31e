"""Labelled texts from JSON lines or CSV, and the question that a model answers about them."""

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
    """What a model is asked about a text. verbalizers: the word of each label. after: the text
    between an input and the answer, such as " It was"."""

    verbalizers: Mapping[str, str] = field(hash=False)
    after: str = ""

    def __post_init__(self) -> None:
        words = list(self.verbalizers.values())
        if len(words) < 2:
            raise TargetError(f"at least two labels need a verbalizer word, got {words}")
        if len(set(words)) < len(words):
            raise TargetError(f"each label needs a different verbalizer word, got {words}")

    def full_text(self, prompt: str, text: str) -> str:
        """The whole text that the model reads: prompt, input, and `after`."""
        return f"{prompt} {text}{self.after}" if prompt else f"{text}{self.after}"

    def check(self, examples: Sequence[Example], where: str = "the examples") -> None:
        """Raises TargetError for an example that leaves the model nothing to read. where: the
        source of the examples, for the message."""
        for number, example in enumerate(examples, 1):
            if not self.full_text("", example.text):
                raise TargetError(
                    f"example {number} of {where} has an empty text, and no text follows it: "
                    "remove the example, or give a text that follows each input (--after)"
                )

    def labels_of(self, examples: Sequence[Example]) -> torch.Tensor:
        """The numbers of the examples' labels, (X,). Raises TargetError for a label without a
        word."""
        if not examples:
            raise TargetError("there are no examples: give at least one")
        numbers = {label: number for number, label in enumerate(self.verbalizers)}
        unknown = sorted({e.label for e in examples} - set(numbers))
        if unknown:
            raise TargetError(
                f"the label {unknown[0]!r} has no verbalizer word; only {', '.join(numbers)} have "
                "one: give a word for each label"
            )
        return torch.tensor([numbers[e.label] for e in examples])

    def answers(self, model: LanguageModel) -> torch.Tensor:
        """The token of each label's word, (C,). Raises TargetError for a word that is not one
        token."""
        ids = []
        for word in self.verbalizers.values():
            pieces = model.continuation(f" {word}")
            if len(pieces) != 1:
                raise TargetError(
                    f"the verbalizer {word!r} is {len(pieces)} tokens of {model.name}, and must be "
                    "one token: choose a more common word"
                )
            ids += pieces
        return torch.tensor(ids)


def read_examples(path: str | Path) -> list[Example]:
    """The examples of a file. A .jsonl file has one {"text": …, "label": …} on each line; a .csv
    file has these two columns. Raises TargetError for a file or a line that cannot be read, and for
    a file without examples."""
    path = Path(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file) if path.suffix.lower() == ".csv" else _json_lines(file)
            examples = [_example(path, number, row) for number, row in enumerate(rows, 1)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TargetError(f"{path} cannot be read: {error}") from error
    except json.JSONDecodeError as error:
        raise TargetError(f"{path}: a line is not JSON: {error.doc.strip()[:40]!r}") from error
    except RecursionError as error:
        raise TargetError(
            f"{path}: a line is nested too deeply: give only text and label"
        ) from error
    if not examples:
        raise TargetError(f"{path} has no examples: give lines with a text and a label")
    return examples


def split(
    examples: Sequence[Example], share: float, seed: int
) -> tuple[list[Example], list[Example]]:
    """The examples to learn from, and the held-out ones, drawn at random. share: of the held-out
    examples.

    Raises TargetError if one of the two is empty.
    """
    held = round(len(examples) * share)
    if not 0 < held < len(examples):
        raise TargetError(
            f"{len(examples)} examples cannot be split with a share of {share:g} held out, because "
            "one part would be empty: give more examples, or a --holdout file"
        )
    order = torch.randperm(len(examples), generator=torch.Generator().manual_seed(seed)).tolist()
    return [examples[i] for i in order[held:]], [examples[i] for i in order[:held]]


def few_shot(examples: Sequence[Example], shots: int, seed: int) -> list[Example]:
    """As many examples of each label as `shots`, drawn at random: the paper's few-shot setting.

    Raises TargetError for a label with fewer examples.
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
                f"{shots} examples of each label are requested, but {label!r} has {len(some)}: "
                "request at most that many"
            )
    return [example for some in drawn.values() for example in some]


def _json_lines(lines: Iterator[str]) -> Iterator[Any]:
    return (json.loads(line) for line in lines if line.strip())


def _example(path: Path, number: int, row: Any) -> Example:
    if not isinstance(row, dict) or row.get("text") is None or row.get("label") is None:
        raise TargetError(f"{path}: example {number} needs a text and a label, got {str(row)[:60]}")
    return Example(str(row["text"]), str(row["label"]))
