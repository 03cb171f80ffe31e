"""The search against the paper's setting, by its own similarity and by the judge.

    python -m benchmarks.search_quality [--pictures 100] [--jobs 2] [--save]

On the embedded model and pictures of a vendor that it was not trained on. Each method runs on each
picture for the time that `paper` needs for its 3000 steps; what counts is the best text so far: its
similarity, and what the judge says of it (`benchmarks/judge.py`). Pictures are split among `jobs`
processes of one thread each; within one, the methods take turns on a picture, so whatever else the
machine does meets all of them.
"""

from __future__ import annotations

import argparse
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from pez_core import (
    PRESETS,
    SearchConfig,
    StepInfo,
    learn_prompt,
    load_model,
    make_targets,
)

from .judge import RESERVED, Judge
from .measure import RESULTS, machine, paired_bootstrap, save

ENDLESS = 10_000  # rounds: the time is what ends a run


@dataclass(frozen=True)
class Method:
    """A setting of the search; `timed` ones are run over and over for as long as `paper` took."""

    name: str
    config: SearchConfig
    timed: bool = True


def _endless(config: SearchConfig) -> SearchConfig:
    return config.replace(rounds=ENDLESS, patience=None)


DEFAULT = PRESETS["default"]
METHODS = (
    Method("paper", PRESETS["paper"], timed=False),
    Method("default", _endless(DEFAULT)),
    Method("default, as it stops by itself", DEFAULT, timed=False),
)


def run_picture(index: int, threads: int) -> dict[str, Any]:
    """The best texts so far and the seconds of every method on one reserved picture."""
    torch.set_num_threads(threads)
    model = load_model("demo")
    with np.load(RESERVED) as data:
        picture = Image.fromarray(data["images"][index])
    targets = make_targets(model.encode_pictures([picture]))
    runs: dict[str, Any] = {}
    learn_prompt(model, targets, config=PRESETS["fast"].replace(steps=5))  # warm-up
    for method in METHODS:
        limit = runs["paper"]["seconds"] if method.timed else None
        found: list[tuple[float, float, str]] = []

        def note(info: StepInfo, found: list[tuple[float, float, str]] = found) -> None:
            best = info.best
            if best and (not found or best.similarity > found[-1][1]):
                found.append((info.seconds, best.similarity, best.text))

        config = method.config.replace(seconds=limit)
        result = learn_prompt(model, targets, config=config, seed=index, callback=note)
        found.append((result.seconds, result.best.similarity, result.best.text))
        runs[method.name] = {"found": found, "seconds": result.seconds, "steps": result.steps}
    return runs


def at(run: dict[str, Any], seconds: float) -> tuple[float, str]:
    """The best similarity and text that a run had after so many seconds; its first before that."""
    reached = [(score, text) for when, score, text in run["found"] if when <= seconds]
    return reached[-1] if reached else run["found"][0][1:]


@dataclass(frozen=True)
class Column:
    """One method after some share of the time that `paper` took; None: when it ends by itself."""

    name: str
    share: float | None

    @property
    def label(self) -> str:
        when = "its own end" if self.share is None else f"{self.share:.0%} of paper's time"
        return f"{self.name}, {when}"


COLUMNS = (
    Column("paper", 1.0),
    Column("default", 1.0),
    Column("default", 0.1),
    Column("default", 0.05),
    Column("default, as it stops by itself", None),
)


def judged(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For every column: its figures, and the differences from `paper` at its end."""
    judge = Judge()
    pictures = list(range(len(runs)))
    measures: list[dict[str, np.ndarray]] = []
    rows: list[dict[str, Any]] = []
    for column in COLUMNS:
        share = np.inf if column.share is None else column.share
        reached = [at(run[column.name], share * run["paper"]["seconds"]) for run in runs]
        verdict = judge.verdict([text for _, text in reached], pictures)
        measures.append(
            {
                "similarity": np.array([score for score, _ in reached]),
                "judge": verdict.similarity,
                "log rank": np.log(verdict.rank),
                "recall": verdict.recall.astype(float),
            }
        )
        seconds = [
            run[column.name]["seconds"] if column.share is None
            else column.share * run["paper"]["seconds"]
            for run in runs
        ]  # fmt: skip
        rows.append(
            {
                "method": column.label,
                "seconds": float(np.mean(seconds)),
                **{name: float(values.mean()) for name, values in measures[-1].items()},
                "median rank": float(np.median(verdict.rank)),
                "first": float(np.mean(verdict.rank == 1)),
                "less paper": {
                    name: paired_bootstrap(values - measures[0][name])
                    for name, values in measures[-1].items()
                },
            }
        )
    return rows


def summary(rows: list[dict[str, Any]]) -> str:
    """The table, and every column less `paper` with its interval."""
    lines = [
        "| method | seconds | similarity | judge | rank: median | first | word recall |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['method']} | {row['seconds']:.2f} | {row['similarity']:.4f} "
            f"| {row['judge']:.4f} | {row['median rank']:.1f} | {row['first']:.0%} "
            f"| {row['recall']:.0%} |"
        )
    lines.append("")
    for row in rows[1:]:
        parts = [
            f"{name} {mean:+.4f} ({low:+.4f} to {high:+.4f})"
            for name, (mean, low, high) in row["less paper"].items()
        ]
        lines.append(f"{row['method']}, less paper at its end (95 %): " + ", ".join(parts))
    return "\n".join(lines)


def plot(runs: list[dict[str, Any]], path: Path) -> None:
    """Mean best similarity against seconds, with the standard error as a band."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    end = float(np.mean([run["paper"]["seconds"] for run in runs]))
    times = np.geomspace(0.03, end, 120)
    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    for method in METHODS[:2]:
        curves = np.array([[at(run[method.name], t)[0] for t in times] for run in runs])
        mean, error = curves.mean(axis=0), curves.std(axis=0) / len(runs) ** 0.5
        axes.plot(times, mean, label=method.name)
        axes.fill_between(times, mean - error, mean + error, alpha=0.2)
    axes.set(xscale="log", xlabel="seconds of search", ylabel="mean best similarity")
    axes.set_title(f"Embedded model, {len(runs)} reserved pictures, 8 tokens")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=130)


def main() -> None:
    """Runs all pictures and prints the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1, help="of each job")
    parser.add_argument("--save", action="store_true", help="write table and plot to results/")
    options = parser.parse_args()
    about = f"{options.jobs} processes, each with {machine(options.threads)}"
    print(about)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=spawn) as pool:
        waiting = [pool.submit(run_picture, i, options.threads) for i in range(options.pictures)]
        runs = [future.result() for future in waiting]
    rows = judged(runs)
    print(summary(rows))
    if options.save:
        print(save("search_quality", {"machine": about, "pictures": len(runs), "rows": rows}))
        plot(runs, RESULTS / "search_quality.png")


if __name__ == "__main__":
    main()
