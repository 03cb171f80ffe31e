"""PEZ compared with the baselines of its paper, and the effect of the learning rate on each.

    python -m benchmarks.quality.optimizers [--pictures 50] [--steps 500] [--seeds 3] [--save]

It repeats the paper's Figure 5a on the embedded model: the best similarity after the same number of
forwards, for every optimiser and learning rate, without refinement and with one restart, over
reserved pictures and seeds. Weight decay is 0, because 0.1 would exclude the largest rates.
Similarities are those of the returned text. AutoPrompt has no learning rate. It evaluates 16 tokens
a step, so it gets as many steps as have the cost of the others', where a backward counts as two
forwards. A second table compares each optimiser at its best rate with PEZ, also by the judge
(`benchmarks/judge.py`), with 95 % intervals over pictures.
"""

from __future__ import annotations

import argparse
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from pez_core import PezError, SearchConfig, TokenMask, learn_prompts, load_model, make_mask
from pez_core.clip.models import ClipModel
from pez_core.config import OPTIMIZERS
from pez_core.targets import Targets, make_targets
from training.reserved_set import load_reserved

from ..judge import RESERVED, Judge
from ..measure import RESULTS, machine, paired_bootstrap, save, save_plot

RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
SWAPS = 16
CONCURRENCY = 25
Found = list[tuple[float, str]]  # similarity and text for each picture


@cache
def bench() -> tuple[ClipModel, TokenMask, list[Targets]]:
    """The model, the vocabulary and the reserved pictures, loaded once in every process."""
    torch.set_num_threads(1)
    model, reserved = load_model("demo"), load_reserved(RESERVED)
    mask = make_mask(model.vocabulary, words=model.source.words)
    features = model.encode_pictures([Image.fromarray(image) for image in reserved.images])
    return model, mask, [make_targets(feature[None]) for feature in features]


def run(optimizer: str, rate: float, steps: int, seed: int, pictures: int) -> Found:
    """The results of an optimiser for the first reserved pictures. rate: 0 if it has none."""
    model, mask, goals = bench()
    config = SearchConfig(
        optimizer=optimizer, steps=steps, lr=rate or 0.1, weight_decay=0.0, restarts=1, refine=0,
        swaps=SWAPS,
    )  # fmt: skip
    found: dict[int, tuple[float, str]] = {}
    searches = learn_prompts(
        model, goals[:pictures], at_once=CONCURRENCY, config=config, mask=mask, seed=seed
    )
    for number, result in searches:
        if isinstance(result, PezError):
            raise result
        found[number] = (result.best.similarity, result.best.text)
    return [found[number] for number in range(pictures)]


def compared(best: dict[str, list[Found]], pictures: int) -> list[dict[str, Any]]:
    """Each optimiser's figures, as means over seeds for every picture, and their differences from
    PEZ."""
    judge = Judge()
    measures: dict[str, dict[str, np.ndarray]] = {}
    for name, seeds in best.items():
        verdicts = [judge.verdict([t for _, t in found], list(range(pictures))) for found in seeds]
        measures[name] = {
            "similarity": np.mean([[score for score, _ in found] for found in seeds], axis=0),
            "judge": np.mean([v.similarity for v in verdicts], axis=0),
            "log rank": np.mean([np.log(v.rank) for v in verdicts], axis=0),
            "recall": np.mean([v.recall.astype(float) for v in verdicts], axis=0),
        }
    return [
        {
            "optimizer": name,
            **{measure: float(values.mean()) for measure, values in own.items()},
            "less pez": {m: paired_bootstrap(own[m] - measures["pez"][m]) for m in own},
        }
        for name, own in measures.items()
    ]


def show(curves: dict[str, dict[str, float]], rows: list[dict[str, Any]]) -> str:
    """Both tables as Markdown."""
    rates = [f"{rate:g}" for rate in RATES]
    lines = ["| optimizer | " + " | ".join(rates) + " |", "|---" * (len(rates) + 1) + "|"]
    for name, curve in curves.items():
        cells = [f"{curve[rate]:.4f}" if rate in curve else f"{curve['0']:.4f}" for rate in rates]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines += ["", "| optimizer, at its best rate | similarity | judge | log rank | recall |"]
    lines.append("|---|---|---|---|---|")
    for row in rows:
        cells = [f"{row[m]:.4f}" for m in row["less pez"]]
        if row["optimizer"] != "pez":
            changes = row["less pez"].values()
            cells = [
                f"{cell}, {mean:+.4f} ({low:+.4f} to {high:+.4f})"
                for cell, (mean, low, high) in zip(cells, changes, strict=True)
            ]
        lines.append(f"| {row['optimizer']}, {row['rate']:g} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def plot(curves: dict[str, dict[str, float]], path: Path) -> None:
    """Plot the mean best similarity against the learning rate, as in the paper's Figure 5a."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    for name, curve in curves.items():
        if "0" in curve:
            axes.axhline(curve["0"], label=f"{name} (no rate)", color="grey", linestyle="--")
        else:
            style = {"linewidth": 5, "alpha": 0.4} if name == "pez" else {"marker": "o"}
            axes.plot([float(r) for r in curve], list(curve.values()), label=name, **style)
    axes.set(xscale="log", xlabel="learning rate", ylabel="mean best similarity")
    axes.set_title("Embedded model, 8 tokens, the same number of forwards")
    axes.legend(fontsize=8)
    save_plot(figure, path)


def main() -> None:
    """Run every optimiser at every rate and print the tables."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--pictures", type=int, default=50)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--save", action="store_true", help="write table and plot to results/")
    options = parser.parse_args()
    about = machine(1, processes=options.jobs)
    print(f"{about}; {options.pictures} pictures, {options.steps} steps, {options.seeds} seeds")
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=spawn) as pool:
        waiting = {}
        for name in OPTIMIZERS:
            steps = options.steps
            if name == "autoprompt":
                steps = max(1, round(steps * 3 / (3 + SWAPS)))
            for rate in (0.0,) if name == "autoprompt" else RATES:
                waiting[name, rate] = [
                    pool.submit(run, name, rate, steps, seed, options.pictures)
                    for seed in range(options.seeds)
                ]
        found = {key: [part.result() for part in parts] for key, parts in waiting.items()}
    curves: dict[str, dict[str, float]] = {}
    for (name, rate), seeds in found.items():
        mean = float(np.mean([score for one in seeds for score, _ in one]))
        curves.setdefault(name, {})[f"{rate:g}"] = mean
    rates = {name: max(curve, key=lambda r: curve[r]) for name, curve in curves.items()}
    best = {name: found[name, float(rate)] for name, rate in rates.items()}
    rows = compared(best, options.pictures)
    for row in rows:
        row["rate"] = float(rates[row["optimizer"]])
    print(show(curves, rows))
    if options.save:
        result = {"machine": about, **vars(options), "curves": curves, "rows": rows}
        print(save("optimizers", result))
        plot(curves, RESULTS / "optimizers.png")


if __name__ == "__main__":
    main()
