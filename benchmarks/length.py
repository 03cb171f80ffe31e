"""How many tokens a prompt should have: what grows with its length, and what transfers.

    python -m benchmarks.length [--preset fast] [--pictures 100] [--lengths 1 2 4 …] [--save]

The paper's Figure 5b: the similarity on the CLIP that is searched rises with the length, while what
a generator makes of the prompt is best at 8 to 16 tokens. Here the embedded model is searched, on
drawings of a vendor that it was not trained on, and in the generator's place stands the judge
(`benchmarks/judge.py`): its similarity, the log rank of the picture among 300, and whether a word
of its name stands in the prompt. `fast` is PEZ alone, as in the paper; `default` refines, which
takes minutes for long prompts. Intervals are 95 %, over pictures; differences are to 8 tokens on
the same picture.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pez_core import PRESETS, ClipModel, LearnedPrompt, learn_prompts, load_model, make_targets

from .judge import Judge
from .measure import RESULTS, machine, paired_bootstrap, save

LENGTHS = (1, 2, 4, 8, 12, 16, 24, 32)
BASE = 8
AT_ONCE = 8
MEASURES = ("own", "judge", "log rank", "recall")


@cache  # once in each process
def bench() -> tuple[ClipModel, Judge]:
    torch.set_num_threads(1)
    return load_model("demo"), Judge()


def run_length(length: int, preset: str, first: int, last: int) -> list[tuple[str, float]]:
    """The best prompt of one length for each of some pictures, and its own similarity."""
    model, judge = bench()
    features = model.encode_pictures(judge.pictures[first:last])
    goals = [make_targets(feature[None]) for feature in features]
    found: dict[int, tuple[str, float]] = {}
    searches = learn_prompts(
        model, goals, f"{{{length}}}", config=PRESETS[preset], seed=first, dtype=torch.float32
    )
    for number, result in searches:
        assert isinstance(result, LearnedPrompt), result
        found[number] = (result.best.text, result.best.similarity)
    return [found[number] for number in range(len(goals))]


def measured(found: dict[int, list[tuple[str, float]]]) -> dict[int, dict[str, np.ndarray]]:
    """Every measure of every length over pictures, (N,) each."""
    _, judge = bench()
    values = {}
    for length, prompts in found.items():
        texts = [text for text, _ in prompts]
        verdict = judge.verdict(texts, list(range(len(texts))))
        own = np.array([similarity for _, similarity in prompts])
        columns = (own, verdict.similarity, np.log(verdict.rank), verdict.recall.astype(float))
        values[length] = dict(zip(MEASURES, columns, strict=True))
    return values


def rows_of(values: dict[int, dict[str, np.ndarray]]) -> list[dict[str, Any]]:
    """A row for each length: (mean, low, high) of every measure, and of it less that of BASE."""
    rows = []
    for length, columns in values.items():
        row: dict[str, Any] = {"tokens": length}
        for name, column in columns.items():
            row[name] = paired_bootstrap(column)
            row[f"{name} less {BASE}"] = paired_bootstrap(column - values[BASE][name])
        rows.append(row)
    return rows


def summary(rows: list[dict[str, Any]]) -> list[str]:
    """The table: means, and the differences that the judge tells."""
    head = ["tokens", "own similarity", "judge's", f"less {BASE} tokens", "log rank"]
    head += [f"less {BASE} tokens", "word recall"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]

    def interval(values: tuple[float, float, float], digits: int) -> str:
        mean, low, high = (f"{value:+.{digits}f}" for value in values)
        bold = "**" if values[1] * values[2] > 0 else ""
        return f"{bold}{mean} ({low} to {high}){bold}"

    for row in rows:
        cells = [str(row["tokens"]), f"{row['own'][0]:.4f}", f"{row['judge'][0]:.3f}"]
        cells.append(interval(row[f"judge less {BASE}"], 3))
        cells += [f"{row['log rank'][0]:.2f}", interval(row[f"log rank less {BASE}"], 2)]
        lines.append("| " + " | ".join([*cells, f"{row['recall'][0]:.0%}"]) + " |")
    return lines


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Own and judge's similarity, and the rank, against the length, with their intervals."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    lengths = [row["tokens"] for row in rows]
    figure, panels = pyplot.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
    titles = ("similarity on the CLIP searched", "the judge's similarity", "log rank by the judge")
    for axes, name, title in zip(panels, MEASURES, titles, strict=False):
        mean, low, high = np.array([row[name] for row in rows]).T
        axes.plot(lengths, mean, marker="o")
        axes.fill_between(lengths, low, high, alpha=0.2)
        axes.set(xscale="log", xlabel="tokens", title=title)
        axes.set_xticks(lengths, [str(length) for length in lengths])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Runs all pictures and prints the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--preset", choices=PRESETS, default="fast")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--lengths", type=int, nargs="+", default=list(LENGTHS))
    parser.add_argument("--save", action="store_true", help="write table and plot to results/")
    options = parser.parse_args()
    about = f"{options.jobs} processes, each with {machine(1)}"
    print(about, f"{options.pictures} pictures, {options.preset}", sep="; ")
    lengths = sorted({*options.lengths, BASE})
    spawn, count = multiprocessing.get_context("spawn"), options.pictures
    with ProcessPoolExecutor(options.jobs, mp_context=spawn) as pool:
        parts = {
            length: [
                pool.submit(run_length, length, options.preset, first, min(first + AT_ONCE, count))
                for first in range(0, count, AT_ONCE)
            ]
            for length in reversed(lengths)  # the longest first, so that no process waits
        }
        found = {n: [pair for part in parts[n] for pair in part.result()] for n in lengths}
    rows = rows_of(measured(found))
    print(*summary(rows), sep="\n")
    for length, prompts in found.items():
        print(f"{length:>3}  {prompts[0][0]}")
    if options.save:
        path = RESULTS / "length.json"
        saved = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        saved[options.preset] = {"machine": about, "pictures": count, "rows": rows}
        print(save("length", saved))
        plot(rows, RESULTS / f"length_{options.preset}.png")


if __name__ == "__main__":
    main()
