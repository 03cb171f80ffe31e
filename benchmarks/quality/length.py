"""How many tokens a prompt should have: its similarity and its transfer by length.

    python -m benchmarks.quality.length [--preset fast] [--pictures 100] [--save]

In the paper's Figure 5b the similarity on the searched CLIP rises with the length, but the
generator's pictures are best at 8 to 16 tokens. Here the embedded model is searched, on drawings of
a vendor that it was not trained on. The judge (`benchmarks/judge.py`) replaces the generator: its
similarity, the log rank of the picture among 300, and whether the prompt contains a word of its
name. `fast` is PEZ alone, as in the paper. `default` refines, which takes 10 s for a prompt of 32
tokens; `--parts FILE` saves finished parts, from which an interrupted run continues. Intervals are
95 %, over pictures. Differences are from 8 tokens on the same picture. The plot contains every
saved preset.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pez_core import PRESETS, ClipModel, LearnedPrompt, learn_prompts, load_model, make_targets
from pez_core.text.template import plain_template

from ..judge import Judge
from ..measure import RESULTS, machine, markdown, paired_bootstrap, save, save_plot

LENGTHS = (1, 2, 4, 8, 12, 16, 24, 32)
BASE = 8
PART_SIZE = 8
MEASURES = ("own", "judge", "log rank", "recall")
TITLES = (
    "similarity on the CLIP searched", "similarity for the judge",
    "log rank for the judge (lower is better)",
)  # fmt: skip
Found = list[tuple[str, float]]  # a prompt and its own similarity for each picture


@cache  # once in each process
def bench() -> tuple[ClipModel, Judge]:
    torch.set_num_threads(1)
    return load_model("demo"), Judge()


def run_length(length: int, preset: str, first: int, last: int) -> Found:
    """The best prompt of one length for some pictures, with its own similarity."""
    model, judge = bench()
    features = model.encode_pictures(judge.pictures[first:last])
    goals = [make_targets(feature[None]) for feature in features]
    found: dict[int, tuple[str, float]] = {}
    searches = learn_prompts(
        model,
        goals,
        plain_template(length),
        config=PRESETS[preset],
        seed=first,
        dtype=torch.float32,
    )
    for number, result in searches:
        assert isinstance(result, LearnedPrompt), result
        found[number] = (result.best.text, result.best.similarity)
    return [found[number] for number in range(len(goals))]


def run_all(
    lengths: list[int], preset: str, count: int, jobs: int, parts: Path | None
) -> dict[int, Found]:
    """The prompts of every length. parts: a file of finished parts, to which new parts are
    appended."""
    known: dict[str, Found] = {}
    if parts is not None and parts.is_file():
        known = dict(json.loads(line) for line in parts.read_text(encoding="utf-8").splitlines())
    waiting: dict[Future[Found], str] = {}
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=spawn) as pool:
        for length in reversed(lengths):  # the longest first, so that no process is idle at the end
            for first in range(0, count, PART_SIZE):
                last = min(first + PART_SIZE, count)
                part = f"{preset} {length} {first} {last}"
                if part not in known:
                    waiting[pool.submit(run_length, length, preset, first, last)] = part
        try:
            for future in as_completed(waiting):
                known[waiting[future]] = future.result()
                if parts is not None:
                    with parts.open("a", encoding="utf-8") as file:
                        file.write(json.dumps((waiting[future], future.result())) + "\n")
        finally:
            pool.shutdown(cancel_futures=True)  # after an interrupt, waiting parts do not run
    return {
        length: [
            pair
            for first in range(0, count, PART_SIZE)
            for pair in known[f"{preset} {length} {first} {min(first + PART_SIZE, count)}"]
        ]
        for length in lengths
    }


def measured(found: dict[int, Found]) -> dict[int, dict[str, np.ndarray]]:
    """Every measure of every length, (N,) over pictures."""
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
    """A row for each length: (mean, low, high) of every measure and of its difference from BASE."""
    rows = []
    for length, columns in values.items():
        row: dict[str, Any] = {"tokens": length}
        for name, column in columns.items():
            row[name] = paired_bootstrap(column)
            row[f"{name} less {BASE}"] = paired_bootstrap(column - values[BASE][name])
        rows.append(row)
    return rows


def summary(rows: list[dict[str, Any]]) -> list[str]:
    """The table: means, and the differences from the base length."""
    head = ["tokens"]
    for name in ("own similarity", "judge similarity", "log rank"):
        head += [name, f"difference from {BASE} tokens"]
    head.append("word recall")
    lines = []

    def interval(row: dict[str, Any], name: str, digits: int) -> str:
        if row["tokens"] == BASE:
            return ""
        values = row[f"{name} less {BASE}"]
        mean, low, high = (f"{value:+.{digits}f}" for value in values)
        bold = "**" if values[1] * values[2] > 0 else ""
        return f"{bold}{mean} ({low} to {high}){bold}"

    for row in rows:
        cells = [str(row["tokens"])]
        for name, digits in zip(MEASURES, (4, 3, 2), strict=False):
            cells += [f"{row[name][0]:.{digits}f}", interval(row, name, digits)]
        lines.append([*cells, f"{row['recall'][0]:.0%}"])
    return markdown(head, lines)


def plot(saved: dict[str, Any], path: Path) -> None:
    """Plot the first three measures against the length with their intervals, a line for each
    preset."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
    for axes, name, title in zip(panels, MEASURES, TITLES, strict=False):
        for preset, result in saved.items():
            lengths = [row["tokens"] for row in result["rows"]]
            mean, low, high = np.array([row[name] for row in result["rows"]]).T
            axes.plot(lengths, mean, marker="o", label=f"{preset}, {result['pictures']} pictures")
            axes.fill_between(lengths, low, high, alpha=0.2)
        axes.set_title(title, fontsize="medium")
        axes.set(xscale="log", xlabel="tokens")
        # Only powers of two: 12 and 24 would overlap with their neighbours.
        ticks = [2**power for power in range(6)]
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    panels[0].legend(loc="upper left", fontsize="small")
    save_plot(figure, path, dpi=110)


def main() -> None:
    """Run all pictures and print the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--preset", choices=PRESETS, default="fast")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--lengths", type=int, nargs="+", default=list(LENGTHS))
    parser.add_argument("--parts", type=Path, help="a file of finished parts, to continue from")
    parser.add_argument("--save", action="store_true", help="write table and plot to results/")
    options = parser.parse_args()
    about = machine(1, processes=options.jobs)
    print(about, f"{options.pictures} pictures, {options.preset}", sep="; ")
    lengths = sorted({*options.lengths, BASE})
    found = run_all(lengths, options.preset, options.pictures, options.jobs, options.parts)
    rows = rows_of(measured(found))
    print(*summary(rows), sep="\n")
    for length, prompts in found.items():
        print(f"{length:>3}  {prompts[0][0]}")
    if options.save:
        path = RESULTS / "length.json"
        saved = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        saved[options.preset] = {"machine": about, "pictures": options.pictures, "rows": rows}
        print(save("length", saved))
        plot(saved, RESULTS / "length.png")


if __name__ == "__main__":
    main()
