"""Pictures per second of `pez invert-folder`, by the number of pictures searched together.

    python -m benchmarks.speed.many_pictures [--pictures 64] [--at-once 1 8 16] [--save]

It uses the embedded model and pictures of a vendor that it was not trained on, all with the same
settings, in one process with one loaded model. The concurrencies take turns on groups of pictures,
in an order that is reversed after each group, so other load on the machine affects all of them. A
factor is the mean of the groups' ratios, with its 95 % interval.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image

from pez_core import PRESETS, make_mask
from pez_core.batch.inverter import Inverter, Job, Picture
from pez_core.text.vocabulary import clip_vocabulary

from ..judge import RESERVED
from ..measure import machine, paired_bootstrap, save


def run_group(inverter: Inverter, pictures: list[Picture], concurrency: int) -> dict[str, Any]:
    """Seconds for a group of pictures, and each one's similarity and prompt."""
    started = time.perf_counter()
    records = list(inverter.records(pictures, concurrency))
    seconds = time.perf_counter() - started
    found = {r["picture"]: (r["similarity"], r["prompt"]) for r in records}
    return {"seconds": seconds, "found": found}


def measure(options: argparse.Namespace) -> dict[int, list[dict[str, Any]]]:
    """The runs of every concurrency, by group."""
    config = PRESETS[options.preset]
    mask = make_mask(clip_vocabulary())
    inverter = Inverter(
        Job("demo", "{8}", config, mask, device=options.device, dtype=options.dtype)
    )
    with np.load(RESERVED) as data:
        images = [Image.fromarray(image) for image in data["images"][: options.pictures]]
    pictures: list[Picture] = [(str(i), partial(image.copy)) for i, image in enumerate(images)]
    numbers = list(options.at_once)
    for number in numbers:  # warm-up
        run_group(inverter, pictures[:number], number)
    runs: dict[int, list[dict[str, Any]]] = {number: [] for number in numbers}
    for first in range(0, len(pictures), options.group):
        for number in numbers:
            runs[number].append(
                run_group(inverter, pictures[first : first + options.group], number)
            )
        numbers.reverse()
    return runs


def summary(runs: dict[int, list[dict[str, Any]]]) -> list[str]:
    """The table: pictures per second, the factor over the first concurrency, and equality with
    it."""
    base, *_ = runs
    lines = [
        f"| at once | pictures/s | times {base} at once | same prompt | mean similarity |",
        "|---|---|---|---|---|",
    ]
    seconds = {
        number: np.array([run["seconds"] for run in groups]) for number, groups in runs.items()
    }
    found = {
        n: {k: v for run in groups for k, v in run["found"].items()} for n, groups in runs.items()
    }
    for number in runs:
        mean, low, high = paired_bootstrap(seconds[base] / seconds[number])
        same = np.mean([found[number][k][1] == found[base][k][1] for k in found[base]])
        similarity = np.mean([value for value, _ in found[number].values()])
        lines.append(
            f"| {number} | {len(found[number]) / seconds[number].sum():.2f} "
            f"| {mean:.2f} ({low:.2f} to {high:.2f}) | {same:.0%} | {similarity:.4f} |"
        )
    return lines


def main() -> None:
    """Run all groups and print the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--group", type=int, default=32, help="pictures of one turn")
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 8, 16])
    parser.add_argument("--preset", choices=list(PRESETS), default="default")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--save", action="store_true", help="write the table to results/")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    about = machine(options.threads, options.device)
    print(about)
    lines = summary(measure(options))
    print("\n".join(lines))
    if options.save:
        print(save("many_pictures", {"machine": about, **vars(options), "summary": lines}))


if __name__ == "__main__":
    main()
