"""Several ways to learn a text, several seeds each, on the model they were learned for and on
others: the paper's tables of texts (arXiv 2302.03668 §4.3) as one call.

Each search hands in its best text. A figure is the mean over the seeds, with its standard error, as
the paper tells its five prompts.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..prompt import SCHEMA
from ..search.methods import read_method
from .examples import Example, few
from .measure import Measure, score_text
from .model import LanguageModel
from .results import LearnedText
from .search import Callback, learn_text_prompt
from .settings import TextConfig

# What a method may set for itself.
READERS: Mapping[str, Callable[[str], float]] = {
    "fluency": float, "lr": float, "weight_decay": float, "steps": int, "restarts": int,
}  # fmt: skip


@dataclass(frozen=True)
class Method:
    """A way to learn, under the name that it was asked for by."""

    name: str
    config: TextConfig


def text_method(name: str, config: TextConfig) -> Method:
    """The method of a name such as "pez,fluency=0.003"; what it does not name is that of `config`.
    Raises ConfigError."""
    optimizer, changes = read_method(name, READERS)
    return Method(name, config.replace(optimizer=optimizer, **changes))


@dataclass(frozen=True)
class Entry:
    """What one search has found. there: what its best text is worth, by model."""

    method: str
    learned: LearnedText
    there: dict[str, Measure]


@dataclass(frozen=True)
class Comparison:
    """The entries, method after method. empty: what no prompt is worth, by model, the one that was
    learned on first."""

    entries: tuple[Entry, ...]
    empty: dict[str, Measure]

    def to_json(self) -> dict[str, Any]:
        """The object that `pez compare-text --json` prints (schema 1)."""
        return {
            "schema": SCHEMA,
            "empty": {name: found.to_json() for name, found in self.empty.items()},
            "rows": [{"method": m, **_row(self._of(m), self.empty)} for m in self._methods()],
            "searches": [
                {"method": e.method, **e.learned.to_json(), "there": _json(e.there)}
                for e in self.entries
            ],
        }

    def to_markdown(self) -> str:
        """A row a method, a column a model: mean accuracy in percent, and its standard error."""
        models = list(self.empty)
        lines = [f"| method | seeds | {' | '.join(models)} |", "|---" * (len(models) + 2) + "|"]
        empty = [f"{100 * self.empty[model].accuracy:.2f}" for model in models]
        lines.append(f"| no prompt |  | {' | '.join(empty)} |")
        for method in self._methods():
            entries = self._of(method)
            told = [_told([e.there[model].accuracy for e in entries]) for model in models]
            lines.append(f"| {method} | {len(entries)} | {' | '.join(told)} |")
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
    """Learns a text by each method from each seed, and measures it on the holdout.

    shots: learn from so many examples of each label alone, drawn by the seed. watch: gives the
    callback of a search; what was stopped by one counts, and ends the comparison.
    Raises what `learn_text_prompt` raises, and TargetError for a label with too few examples.
    """
    entries, empty = list[Entry](), score_text(model, "", holdout, verbalizers, after=after)
    for method in methods:
        for seed in seeds:
            some = examples if shots is None else few(examples, shots, seed)
            learned = learn_text_prompt(
                model, some, verbalizers, holdout=holdout, after=after, tokens=tokens,
                config=method.config, seed=seed, callback=watch(method.name, seed),
            )  # fmt: skip
            entries.append(Entry(method.name, learned, {model.name: learned.best.holdout}))
            if learned.stopped == "user":
                return Comparison(tuple(entries), {model.name: empty})
    return Comparison(tuple(entries), {model.name: empty})


def carried(
    found: Comparison,
    other: LanguageModel,
    holdout: Sequence[Example],
    verbalizers: Mapping[str, str],
    *,
    after: str = "",
) -> Comparison:
    """The same with a column for another model. Raises what `score_text` raises."""

    def objective_value(text: str) -> Measure:
        return score_text(other, text, holdout, verbalizers, after=after)

    entries = tuple(
        Entry(e.method, e.learned, {**e.there, other.name: objective_value(e.learned.best.text)})
        for e in found.entries
    )
    return Comparison(entries, {**found.empty, other.name: objective_value("")})


def _row(entries: Sequence[Entry], models: Iterable[str]) -> dict[str, Any]:
    """The mean accuracy by model, and its standard error, null for one seed."""
    each = {model: [e.there[model].accuracy for e in entries] for model in models}
    return {
        "seeds": [e.learned.seed for e in entries],
        "accuracy": {model: statistics.fmean(values) for model, values in each.items()},
        "error": {model: _standard_error(values) for model, values in each.items()},
    }


def _standard_error(values: Sequence[float]) -> float | None:
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None


def _told(values: Sequence[float]) -> str:
    error = _standard_error(values)
    return f"{100 * statistics.fmean(values):.2f}" + (
        "" if error is None else f" ± {100 * error:.2f}"
    )


def _json(there: Mapping[str, Measure]) -> dict[str, Any]:
    return {name: found.to_json() for name, found in there.items()}
