"""Whether half precision changes the result: best similarity by precision, on the same pictures.

    python -m benchmarks.speed.precision [--pictures 20] [--save]

It uses the embedded model, the pictures of `examples/` and their halves. Each is learned with the
same seed in float32, float16 and bfloat16; differences are by paired bootstrap. A CPU without
hardware for half precision only stores weights in it and computes in float32. There the benchmark
shows only the rounding of the stored weights.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch

from pez_core import ClipModel, SearchConfig, learn_prompt, load_model, make_targets, open_picture

from ..measure import RESULTS, machine, paired_bootstrap, save

DTYPES = ("float32", "float16", "bfloat16")


def pictures_of(count: int) -> list[Any]:
    """The example pictures, then their left and right halves."""
    whole = [open_picture(path) for path in sorted((RESULTS.parents[1] / "examples").glob("*.png"))]
    halves = [p.crop((x, 0, x + p.width // 2, p.height)) for p in whole for x in (0, p.width // 2)]
    return (whole + halves)[:count]


def of_precision(model: ClipModel, device: str, count: int, config: SearchConfig) -> dict[str, Any]:
    """Mean best similarity of every precision, and its difference from float32 with interval."""
    model = model.to(device)
    features = model.encode_pictures(pictures_of(count))
    best = {
        dtype: np.array([
            learn_prompt(
                model, make_targets(row[None]), config=config, dtype=getattr(torch, dtype)
            ).best.similarity
            for row in features
        ])
        for dtype in DTYPES
    }  # fmt: skip
    return {
        dtype: {
            "mean": float(best[dtype].mean()),
            "difference": paired_bootstrap(best[dtype] - best["float32"]),
        }
        for dtype in DTYPES
    }


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--pictures", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--save", action="store_true", help="write benchmarks/results/precision.json"
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    about = machine(options.threads, options.device)
    config = SearchConfig(rounds=options.rounds, patience=None)
    result = of_precision(load_model("demo"), options.device, options.pictures, config)
    print(f"{about}, {options.pictures} pictures")
    print("| precision | best similarity | difference from float32 (95 %) |\n|---|---|---|")
    for dtype, row in result.items():
        mean, low, high = row["difference"]
        print(f"| {dtype} | {row['mean']:.4f} | {mean:+.4f} ({low:+.4f} to {high:+.4f}) |")
    if options.save:
        print(save("precision", {"machine": about, **vars(options), "results": result}))


if __name__ == "__main__":
    main()
