"""One prompt for two encoders, measured on the encoder where it is worse.

    python -m benchmarks.quality.joint [--pictures 100] [--jobs 2] [--seconds 4] [--save]

The encoders are the embedded model and the judge (`benchmarks/judge.py`). On each picture every
method searches for the same time: for either encoder alone, and for both together with equal and
with balanced weights. The two similarities of a prompt have different scales. So the lower one is
shown twice: as it is, and as a share of the similarity of the encoder's own prompt on this picture.

Balanced weights are inverse to the standard deviation of an encoder's cosines over the captions and
pictures of the reserved set. Then a change relative to the usual variation counts the same in both.
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

from pez_core import PRESETS, ClipModel, learn_prompt, load_model, make_targets
from training.reserved_set import load_reserved

from ..judge import FOLDER, RESERVED
from ..measure import machine, paired_bootstrap, save

ENDLESS = PRESETS["default"].replace(rounds=10_000, patience=None)  # ended by the time limit
FIRST = "demo"
METHODS = ("first alone", "second alone", "both, equal weights", "both, balanced weights")


@cache  # once in each process
def model_of(name: str) -> ClipModel:
    return load_model(name)


def spread(name: str) -> float:
    """The standard deviation of a model's cosines between reserved captions and pictures."""
    model, reserved = model_of(name), load_reserved(RESERVED)
    pictures = [Image.fromarray(image) for image in reserved.images]
    cosines = model.encode_texts(reserved.names) @ model.encode_pictures(pictures).T
    return cosines.std().item()


def run_picture(index: int, models: dict[str, str], seconds: float) -> dict[str, list[float]]:
    """The similarities on both encoders of every method's best prompt of a picture."""
    torch.set_num_threads(1)
    reserved = load_reserved(RESERVED)
    picture = Image.fromarray(reserved.images[index])
    loaded = {method: model_of(name) for method, name in models.items()}
    judges = [loaded[method] for method in METHODS[:2]]
    goals = [judge.encode_pictures([picture])[0] for judge in judges]
    found = {}
    for number, (method, model) in enumerate(loaded.items()):
        targets = make_targets(model.encode_pictures([picture]))
        if number == 0:
            learn_prompt(model, targets, config=PRESETS["fast"].replace(steps=5))  # warm-up
        config = ENDLESS.replace(seconds=seconds)
        text = learn_prompt(model, targets, config=config, seed=index).best.text
        pairs = zip(judges, goals, strict=True)
        found[method] = [(judge.encode_texts([text])[0] @ goal).item() for judge, goal in pairs]
    return found


def compared(runs: list[dict[str, list[float]]]) -> list[dict[str, Any]]:
    """The figures of every method, and the gain of each joint method over either encoder alone."""
    scores = {method: np.array([run[method] for run in runs]) for method in METHODS}  # (N, 2)
    own = np.stack([scores[METHODS[0]][:, 0], scores[METHODS[1]][:, 1]], axis=1)
    worse = {method: values.min(axis=1) for method, values in scores.items()}
    share = {method: (values / own).min(axis=1) for method, values in scores.items()}
    rows = []
    for method, values in scores.items():
        row: dict[str, Any] = {
            "method": method,
            "first": float(values[:, 0].mean()),
            "second": float(values[:, 1].mean()),
            "worse": float(worse[method].mean()),
            "worse share": float(share[method].mean()),
        }
        if method in METHODS[2:]:
            row["gains"] = {
                f"{measure}, difference from {single}": paired_bootstrap(
                    values_of[method] - values_of[single]
                )
                for measure, values_of in (("worse", worse), ("worse share", share))
                for single in METHODS[:2]
            }
        rows.append(row)
    return rows


def summary(rows: list[dict[str, Any]]) -> str:
    """The table, and the gains with their intervals."""
    lines = [
        "| learned for | first | second | worse of both | worse, as a share of its own best |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['method']} | {row['first']:.4f} | {row['second']:.4f} | {row['worse']:.4f} "
            f"| {row['worse share']:.1%} |"
        )
    lines.append("")
    for row in rows:
        for name, (mean, low, high) in row.get("gains", {}).items():
            interval = f"{mean:+.4f} (95 %: {low:+.4f} to {high:+.4f})"
            lines.append(f"{row['method']}: {name}: {interval}")
    return "\n".join(lines)


def main() -> None:
    """Run all pictures and print the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--seconds", type=float, default=4.0, help="of every search")
    parser.add_argument("--second", type=Path, default=FOLDER, help="the other encoder's folder")
    parser.add_argument("--save", action="store_true", help="write the figures to results/")
    options = parser.parse_args()
    torch.set_num_threads(1)
    second = str(options.second)
    spreads = [spread(FIRST), spread(second)]
    balanced = f"{FIRST}@{1 / spreads[0]:.4f}+{second}@{1 / spreads[1]:.4f}"
    names = (FIRST, second, f"{FIRST}+{second}", balanced)
    models = dict(zip(METHODS, names, strict=True))
    about = f"{machine(1, processes=options.jobs)}; {options.seconds} s a search"
    print(about)
    print(f"spread of the cosines: {spreads[0]:.3f} and {spreads[1]:.3f}")
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=spawn) as pool:
        waiting = [
            pool.submit(run_picture, i, models, options.seconds) for i in range(options.pictures)
        ]
        rows = compared([future.result() for future in waiting])
    print(summary(rows))
    if options.save:
        result = {"machine": about, "pictures": options.pictures, "spreads": spreads, "rows": rows}
        print(save("joint", result))


if __name__ == "__main__":
    main()
