"""Mean best similarity against seconds: the paper's setting, PEZ restarts, and the default.

    python -m benchmarks.search_quality [--pictures 100] [--jobs 2] [--save]

On the embedded model and pictures of a vendor that it was not trained on. Each method runs on each
picture for the time that `paper` needs for its 3000 steps; the similarity is that of the best text
so far. Pictures are split among `jobs` processes of one thread each; within one, the methods take
turns on a picture, so whatever else the machine does meets all of them.
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

from pez_core import PRESETS, SearchConfig, learn_prompt, load_model, make_targets

from .measure import RESULTS, machine, paired_bootstrap, save

RESERVED = Path(__file__).parent / "data" / "fxemoji.npz"
ENDLESS = 10_000  # rounds: the time is what ends a run
GRID = (0.1, 0.2, 0.5, 1.0, 2.0, 4.0)  # seconds


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
    Method("pez 8 x 300", _endless(DEFAULT.replace(steps=300, refine=0))),
    Method("default", _endless(DEFAULT)),
    Method("default, as it stops by itself", DEFAULT, timed=False),
)


def run_picture(index: int, threads: int) -> dict[str, Any]:
    """History and seconds of every method on one reserved picture."""
    torch.set_num_threads(threads)
    model = load_model("demo")
    with np.load(RESERVED) as data:
        picture = Image.fromarray(data["images"][index])
    targets = make_targets(model.encode_pictures([picture]))
    runs: dict[str, Any] = {}
    learn_prompt(model, targets, config=PRESETS["fast"].replace(steps=5))  # warm-up
    for method in METHODS:
        limit = runs["paper"]["seconds"] if method.timed else None
        config = method.config.replace(seconds=limit)
        result = learn_prompt(model, targets, config=config, seed=index)
        runs[method.name] = {
            "history": [[seconds, similarity] for _, seconds, similarity in result.history],
            "seconds": result.seconds,
            "steps": result.steps,
        }
    return runs


def at(run: dict[str, Any], seconds: float) -> float:
    """The best similarity that a run had after so many seconds; its first one before that."""
    reached = [similarity for when, similarity in run["history"] if when <= seconds]
    return reached[-1] if reached else float(run["history"][0][1])


def summary(runs: list[dict[str, Any]]) -> str:
    """The table of means, and the two comparisons with `paper`, with intervals."""
    names = [method.name for method in METHODS]
    end = float(np.mean([run["paper"]["seconds"] for run in runs]))
    lines = ["| seconds | " + " | ".join(names[:3]) + " |", "|---|---|---|---|"]
    for seconds in (*[s for s in GRID if s < end], end):
        means = [np.mean([at(run[name], seconds) for run in runs]) for name in names[:3]]
        lines.append(f"| {seconds:.1f} | " + " | ".join(f"{mean:.4f}" for mean in means) + " |")
    paper = np.array([run["paper"]["history"][-1][1] for run in runs])
    lines.append("")
    for share in (1.0, 0.1, 0.05):
        reached = [at(run["default"], share * run["paper"]["seconds"]) for run in runs]
        mean, low, high = paired_bootstrap(np.array(reached) - paper)
        lines.append(
            f"default after {share:.0%} of paper's time, less paper at its end: "
            f"{mean:+.4f} (95 %: {low:+.4f} to {high:+.4f})"
        )
    own = [run[names[3]] for run in runs]
    mean, low, high = paired_bootstrap(np.array([r["history"][-1][1] for r in own]) - paper)
    lines.append(
        f"default as it stops by itself, after {np.mean([r['seconds'] for r in own]):.2f} s on "
        f"average, less paper after {end:.2f} s: {mean:+.4f} (95 %: {low:+.4f} to {high:+.4f})"
    )
    return "\n".join(lines)


def plot(runs: list[dict[str, Any]], path: Path) -> None:
    """Mean best similarity against seconds, with the standard error as a band."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    end = float(np.mean([run["paper"]["seconds"] for run in runs]))
    times = np.geomspace(0.03, end, 120)
    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    for method in METHODS[:3]:
        curves = np.array([[at(run[method.name], t) for t in times] for run in runs])
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
    print(summary(runs))
    if options.save:
        print(save("search_quality", {"machine": about, "summary": summary(runs).splitlines()}))
        plot(runs, RESULTS / "search_quality.png")


if __name__ == "__main__":
    main()
