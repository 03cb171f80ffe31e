"""The presets compared with the paper's setting, by their own similarity and by the judge.

    python -m benchmarks.quality.search_quality [--pictures 300] [--jobs 2] [--save]

It uses the embedded model and pictures of a vendor that it was not trained on. `paper` runs its
3000 steps, once with all tokens of printable ASCII (the paper uses the whole table) and once with
whole words like the default. The other presets run until they stop by themselves; the default's
best text at a twentieth of `paper`'s time is measured as well. The figures are the text's
similarity and those of the judge (`benchmarks/judge.py`).

The prompts of `paper` do not depend on the clock, so its searches share their passes, which is
faster. Its time is that of its steps run alone, measured on every picture right before the
default's run. Pictures are split among `jobs` processes of one thread each.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from pez_core import (
    PRESETS,
    ClipModel,
    PezError,
    StepInfo,
    Targets,
    TokenMask,
    learn_prompt,
    learn_prompts,
    load_model,
    make_mask,
    make_targets,
)
from training.reserved_set import load_reserved

from ..judge import RESERVED, Judge
from ..measure import RESULTS, machine, paired_bootstrap, save, save_plot

PAPER = PRESETS["paper"]
OURS = ("fast", "default", "thorough")
VOCABULARIES = {"paper": "ascii", "paper, whole words": "words"}
CONCURRENCY = 25  # searches of `paper` that share their passes
TIMED_STEPS = 100  # of `paper`, alone, on every picture
SHARE = 0.05  # of `paper`'s time

Found = list[tuple[float, float, str]]  # time, similarity, text of each best so far


@cache
def mask(kind: str) -> TokenMask:
    model, _ = bench(1)
    return make_mask(model.vocabulary, kind, words=model.source.words)


@cache
def bench(threads: int) -> tuple[ClipModel, list[Targets]]:
    """The model and the reserved pictures as targets, loaded once in every process."""
    torch.set_num_threads(threads)
    model, reserved = load_model("demo"), load_reserved(RESERVED)
    features = model.encode_pictures([Image.fromarray(image) for image in reserved.images])
    learn_prompt(model, make_targets(features[:1]), config=PAPER.replace(steps=5))  # warm-up
    return model, [make_targets(feature[None]) for feature in features]


def run_paper(kind: str, first: int, last: int, threads: int) -> list[Found]:
    """The successive best texts of `paper` on some reserved pictures, by step. kind: of
    vocabulary."""
    model, goals = bench(threads)
    found: list[Found] = [[] for _ in range(first, last)]

    def note(info: StepInfo) -> None:
        _add(found[info.number], info, info.step)

    searches = learn_prompts(
        model, goals[first:last], at_once=CONCURRENCY, config=PAPER, mask=mask(kind), seed=first,
        callback=note,
    )  # fmt: skip
    for number, result in searches:
        if isinstance(result, PezError):
            raise result
        found[number].append((PAPER.steps, result.best.similarity, result.best.text))
    return found


def run_ours(index: int, threads: int) -> tuple[float, dict[str, tuple[float, Found]]]:
    """For one reserved picture: the seconds that `paper` would take alone, and for each preset its
    seconds and its successive best texts, by second."""
    model, goals = bench(threads)
    brief = PAPER.replace(steps=TIMED_STEPS)
    timed = learn_prompt(model, goals[index], config=brief, mask=mask("ascii"), seed=index)
    runs: dict[str, tuple[float, Found]] = {}
    for name in OURS:
        found: Found = []

        def note(info: StepInfo, found: Found = found) -> None:
            _add(found, info, info.seconds)

        result = learn_prompt(
            model, goals[index], config=PRESETS[name], mask=mask("words"), seed=index,
            callback=note,
        )  # fmt: skip
        found.append((result.seconds, result.best.similarity, result.best.text))
        runs[name] = (result.seconds, found)
    return timed.seconds * PAPER.steps / TIMED_STEPS, runs


def _add(found: Found, info: StepInfo, when: float) -> None:
    if info.best and (not found or info.best.similarity > found[-1][1]):
        found.append((when, info.best.similarity, info.best.text))


def at(found: Found, when: float) -> tuple[float, str]:
    """The best similarity and text up to a time; before the first one, the first."""
    reached = [(score, text) for moment, score, text in found if moment <= when]
    return reached[-1] if reached else found[0][1:]


@dataclass(frozen=True)
class Run:
    """The runs of every method on one picture: their seconds, and their successive best texts by
    second."""

    seconds: dict[str, float]
    found: dict[str, Found]


def judged(runs: list[Run]) -> list[dict[str, Any]]:
    """The figures of each method, and the differences from `paper`'s final result."""
    judge = Judge()
    columns = {
        name: [(run.seconds[name], at(run.found[name], math.inf)) for run in runs]
        for name in (*VOCABULARIES, *OURS)
    }
    brief = [SHARE * run.seconds["paper"] for run in runs]
    columns[f"default, {SHARE:.0%} of paper's time"] = [
        (when, at(run.found["default"], when)) for run, when in zip(runs, brief, strict=True)
    ]
    measures: list[dict[str, np.ndarray]] = []
    rows: list[dict[str, Any]] = []
    for name, reached in columns.items():
        verdict = judge.verdict([text for _, (_, text) in reached], list(range(len(runs))))
        measures.append(
            {
                "similarity": np.array([score for _, (score, _) in reached]),
                "judge": verdict.similarity,
                "log rank": np.log(verdict.rank),
                "recall": verdict.recall.astype(float),
            }
        )
        rows.append(
            {
                "method": name,
                "seconds": float(np.mean([seconds for seconds, _ in reached])),
                **{measure: float(values.mean()) for measure, values in measures[-1].items()},
                "median rank": float(np.median(verdict.rank)),
                "first": float(np.mean(verdict.rank == 1)),
                "less paper": {
                    measure: paired_bootstrap(values - measures[0][measure])
                    for measure, values in measures[-1].items()
                },
            }
        )
    return rows


def summary(rows: list[dict[str, Any]]) -> str:
    """The table, and the difference of every column from `paper` with its interval."""
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
        lines.append(
            f"{row['method']}, difference from paper's final result (95 %): " + ", ".join(parts)
        )
    return "\n".join(lines)


def plot(runs: list[Run], path: Path) -> None:
    """Plot the mean best similarity against seconds, with the standard error as a band."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    times = np.geomspace(0.03, float(np.mean([run.seconds["paper"] for run in runs])), 120)
    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    for name in runs[0].found:
        curves = np.array([[at(run.found[name], t)[0] for t in times] for run in runs])
        mean, error = curves.mean(axis=0), curves.std(axis=0) / len(runs) ** 0.5
        axes.plot(times, mean, label=name)
        axes.fill_between(times, mean - error, mean + error, alpha=0.2)
    axes.set(xscale="log", xlabel="seconds of search", ylabel="mean best similarity")
    axes.set_title(f"Embedded model, {len(runs)} reserved pictures, 8 tokens")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    save_plot(figure, path)


def main() -> None:
    """Run all pictures and print the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1, help="of each job")
    parser.add_argument("--save", action="store_true", help="write table and plot to results/")
    options = parser.parse_args()
    about = machine(options.threads, processes=options.jobs)
    print(about)
    spawn, count, threads = multiprocessing.get_context("spawn"), options.pictures, options.threads
    with ProcessPoolExecutor(options.jobs, mp_context=spawn) as pool:
        parts = {
            name: [
                pool.submit(run_paper, kind, first, min(first + CONCURRENCY, count), threads)
                for first in range(0, count, CONCURRENCY)
            ]
            for name, kind in VOCABULARIES.items()
        }
        singles = [pool.submit(run_ours, index, threads) for index in range(count)]
        papers = {n: [found for part in own for found in part.result()] for n, own in parts.items()}
        runs = []
        for index, single in enumerate(singles):
            paper_seconds, ours = single.result()
            seconds = dict.fromkeys(papers, paper_seconds) | {n: t for n, (t, _) in ours.items()}
            a_step = paper_seconds / PAPER.steps
            found = {
                name: [(step * a_step, score, text) for step, score, text in own[index]]
                for name, own in papers.items()
            }
            runs.append(Run(seconds, found | {n: own for n, (_, own) in ours.items()}))
    rows = judged(runs)
    print(summary(rows))
    if options.save:
        print(save("search_quality", {"machine": about, "pictures": len(runs), "rows": rows}))
        plot(runs, RESULTS / "search_quality.png")


if __name__ == "__main__":
    main()
