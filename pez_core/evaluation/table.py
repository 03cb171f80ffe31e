"""The table of results: means over pictures with bootstrap intervals, as Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..batch.results import Record
from ..version import __version__
from .folder import EvaluationFolder
from .intervals import DRAWS, mean_interval
from .plan import Plan

SCHEMA = 1
Interval = tuple[float, float, float]  # mean, and the ends of its 95 % interval


@dataclass(frozen=True)
class Row:
    """The figures of a method. pictures: the number with a result; the means are over them. errors:
    the number without a result. tokens: the mean length of the prompts. similarity: the guide's, of
    picture and prompt. judge: the judge's, of picture and painted pictures. difference: judge minus
    the first method's, over the `pairs` pictures with a result of both methods.

    A figure is None without pictures. The interval of one picture has no width, so it has no
    meaning.
    """

    method: str
    pictures: int
    errors: int
    tokens: float | None
    similarity: Interval | None
    judge: Interval | None
    difference: Interval | None
    pairs: int


def rows(methods: Iterable[str], results: Iterable[Record]) -> list[Row]:
    """The figures of each method, from the last result of each picture and method."""
    good: dict[str, dict[str, Record]] = {method: {} for method in methods}
    errors = dict.fromkeys(good, 0)
    for record in results:
        method = record["method"]
        if method not in good:
            continue  # of an earlier run with more methods
        if "error" in record:
            errors[method] += 1
        else:
            good[method][record["picture"]] = record
    first = next(iter(good.values()), {})
    return [
        Row(
            method,
            len(mine),
            errors[method],
            float(np.mean([r["tokens"] for r in mine.values()])) if mine else None,
            _interval(r["similarity"] for r in mine.values()),
            _interval(r["judge"] for r in mine.values()),
            None if mine is first else _interval(_differences(mine, first)),
            len(mine.keys() & first.keys()),
        )
        for method, mine in good.items()
    ]


def write_table(plan: Plan, folder: EvaluationFolder, found: list[Row]) -> None:
    """Write table.md, table.csv and table.json."""
    folder.write("table.md", to_markdown(plan, found))
    folder.write("table.csv", to_csv(found))
    folder.write("table.json", json.dumps(to_json(plan, found), indent=1) + "\n")


def to_markdown(plan: Plan, found: list[Row]) -> str:
    """The table in Markdown, with the protocol in a line below."""
    first, painter = plan.methods[0], plan.painter
    lines = [
        "| method | pictures | tokens | guide similarity | judge similarity "
        f"| difference from {first} |",
        "|---|---|---|---|---|---|",
    ]
    for row in found:
        pictures = f"{row.pictures}" + (f" ({row.errors} failed)" if row.errors else "")
        tokens = "–" if row.tokens is None else f"{row.tokens:.1f}"
        cells = [
            row.method,
            pictures,
            tokens,
            _formatted(row.similarity, ".4f"),
            _formatted(row.judge, ".4f"),
        ]
        cells.append("" if row.method == first else _formatted(row.difference, "+.4f"))
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        f"Mean cosine over pictures, with 95 % bootstrap intervals over pictures ({DRAWS} draws). "
        f"Guide {plan.job.model}, judge {plan.judge}, {painter.painter}, guidance "
        f"{painter.guidance:g}, {painter.steps} steps, {painter.images} image(s) a prompt, "
        f"seed {plan.job.seed}, pez {__version__}.",
    ]
    return "\n".join(lines) + "\n"


def to_csv(found: list[Row]) -> str:
    """The table in CSV, one line for each method. An interval takes three columns, empty without
    one."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    measures = ("similarity", "judge", "difference")
    ends = [f"{m}{end}" for m in measures for end in ("", "_low", "_high")]
    writer.writerow(["method", "pictures", "errors", "tokens", *ends, "pairs"])
    for row in found:
        figures = [f for m in measures for f in (getattr(row, m) or ("", "", ""))]
        writer.writerow([row.method, row.pictures, row.errors, row.tokens, *figures, row.pairs])
    return text.getvalue()


def to_json(plan: Plan, found: list[Row]) -> dict[str, Any]:
    """The figures with all settings that determine them."""
    return {
        "schema": SCHEMA,
        "pez": __version__,
        "model": plan.job.model,
        "seed": plan.job.seed,
        "settings": plan.judging["settings"],
        "methods": {method: plan.prompted(method) for method in plan.methods},
        "intervals": {"percent": 95, "draws": DRAWS, "over": "pictures"},
        "rows": [asdict(row) for row in found],
    }


def _differences(mine: dict[str, Record], first: dict[str, Record]) -> Iterable[float]:
    return (record["judge"] - first[n]["judge"] for n, record in mine.items() if n in first)


def _interval(values: Iterable[float]) -> Interval | None:
    # Sorted, so that the draws do not depend on the order of the results.
    array = np.sort(np.array(list(values), dtype=np.float64))
    return mean_interval(array) if len(array) else None


def _formatted(interval: Interval | None, style: str) -> str:
    if interval is None:
        return "–"
    mean, low, high = (format(value, style).replace("-", "−") for value in interval)
    return f"{mean} ({low} to {high})"
