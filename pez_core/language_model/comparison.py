"""A comparison of methods that learn a text, with several seeds each, on the model that the texts
were learned on and on others: the tables of texts in the paper (arXiv 2302.03668 §4.3).

Only the best text of each search counts. A figure is the mean over the seeds with its standard
error, as in the paper, which reports five prompts for each method.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..prompt import SCHEMA
from ..search.methods import read_method
from .examples import Example, few_shot
from .measure import Measure, score_text
from .model import LanguageModel
from .results import LearnedText
from .search import Callback, learn_text_prompt
from .settings import TextConfig

# The settings that a method can have of its own.
READERS: Mapping[str, Callable[[str], float]] = {
    "fluency": float, "lr": float, "weight_decay": float, "steps": int, "restarts": int,
}  # fmt: skip


@dataclass(frozen=True)
class Method:
    """A way to learn a text. name: as the user wrote it."""

    name: str
    config: TextConfig


def text_method(name: str, config: TextConfig) -> Method:
    """The method of a name such as "pez,fluency=0.003". Settings that the name leaves out come from
    `config`. Raises ConfigError."""
    optimizer, changes = read_method(name, READERS)
    return Method(name, config.replace(optimizer=optimizer, **changes))


@dataclass(frozen=True)
class Entry:
    """The result of one search. measures: of its best text, by model."""

    method: str
    learned: LearnedText
    measures: dict[str, Measure]


@dataclass(frozen=True)
class Comparison:
    """The results of all searches, grouped by method. empty: the measure without a prompt, by
    model; the model that the texts were learned on is the first."""

    entries: tuple[Entry, ...]
    empty: dict[str, Measure]

    def to_json(self) -> dict[str, Any]:
        """The object that `pez compare-text --json` prints (schema 1)."""
        return {
            "schema": SCHEMA,
            "empty": {name: found.to_json() for name, found in self.empty.items()},
            "rows": [{"method": m, **_row(self._of(m), self.empty)} for m in self._methods()],
            "searches": [
                {"method": e.method, **e.learned.to_json(), "there": _json(e.measures)}
                for e in self.entries
            ],
        }

    def to_markdown(self) -> str:
        """The table: one row per method, one column per model. A cell is the mean accuracy in
        percent, with its standard error."""
        models = list(self.empty)
        lines = [f"| method | seeds | {' | '.join(models)} |", "|---" * (len(models) + 2) + "|"]
        empty = [f"{100 * self.empty[model].accuracy:.2f}" for model in models]
        lines.append(f"| no prompt |  | {' | '.join(empty)} |")
        for method in self._methods():
            entries = self._of(method)
            cells = [_cell([e.measures[model].accuracy for e in entries]) for model in models]
            lines.append(f"| {method} | {len(entries)} | {' | '.join(cells)} |")
        return "\n".join(lines) + "\n"

    def _methods(self) -> list[str]:
        return list(dict.fromkeys(entry.method for entry in self.entries))

    def _of(self, method: str) -> list[Entry]:
        return [entry for entry in self.entries if entry.method == method]


def compare_texts(
    model: LanguageModel,
    examples: Sequence[Example],
    verbalizers: Mapping[str, str],
    methods: Sequence[Method],
    seeds: Sequence[int],
    holdout: Sequence[Example],
    *,
    after: str = "",
    tokens: int = 8,
    shots: int | None = None,
    watch: Callable[[str, int], Callback | None] = lambda method, seed: None,
) -> Comparison:
    """The measures on the holdout of the text that each method learns from each seed.

    shots: the number of examples of each label to learn from, drawn by the seed; None for all of
    them. watch: returns the callback of a search. A search that its callback stops is included, and
    ends the comparison.
    Raises what `learn_text_prompt` raises, and TargetError for a label with too few examples.
    """
    entries, empty = list[Entry](), score_text(model, "", holdout, verbalizers, after=after)
    for method in methods:
        for seed in seeds:
            some = examples if shots is None else few_shot(examples, shots, seed)
            learned = learn_text_prompt(
                model, some, verbalizers, holdout=holdout, after=after, tokens=tokens,
                config=method.config, seed=seed, callback=watch(method.name, seed),
            )  # fmt: skip
            entries.append(Entry(method.name, learned, {model.name: learned.best.holdout}))
            if learned.stopped == "user":
                return Comparison(tuple(entries), {model.name: empty})
    return Comparison(tuple(entries), {model.name: empty})


def add_model(
    comparison: Comparison,
    model: LanguageModel,
    holdout: Sequence[Example],
    verbalizers: Mapping[str, str],
    *,
    after: str = "",
) -> Comparison:
    """The comparison with the measures of its texts on one more model. Raises what `score_text`
    raises."""

    def score(text: str) -> Measure:
        return score_text(model, text, holdout, verbalizers, after=after)

    entries = tuple(
        Entry(e.method, e.learned, {**e.measures, model.name: score(e.learned.best.text)})
        for e in comparison.entries
    )
    return Comparison(entries, {**comparison.empty, model.name: score("")})


def _row(entries: Sequence[Entry], models: Iterable[str]) -> dict[str, Any]:
    """The mean accuracy by model, and its standard error; None for one seed."""
    each = {model: [e.measures[model].accuracy for e in entries] for model in models}
    return {
        "seeds": [e.learned.seed for e in entries],
        "accuracy": {model: statistics.fmean(values) for model, values in each.items()},
        "error": {model: _standard_error(values) for model, values in each.items()},
    }


def _standard_error(values: Sequence[float]) -> float | None:
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None


def _cell(values: Sequence[float]) -> str:
    error = _standard_error(values)
    return f"{100 * statistics.fmean(values):.2f}" + (
        "" if error is None else f" ± {100 * error:.2f}"
    )


def _json(measures: Mapping[str, Measure]) -> dict[str, Any]:
    return {name: measure.to_json() for name, measure in measures.items()}
