"""Whether half precision keeps the result: best similarity by precision, the same pictures each.

    python -m benchmarks.precision [--pictures 20] [--save]

On the embedded model, with the pictures of `examples/` and their halves, each learned with the same
seed in float32, float16 and bfloat16, and the differences by paired bootstrap. On a CPU without
such hardware half precision is a way to store weights, computed in float32; there only the rounding
of the stored weights is seen.
"""

from __future__ import annotations

import argparse

import torch

from pez_core import SearchConfig, load_model

from .gpu import of_precision
from .measure import machine, save


def main() -> None:
    """Measures and prints the table."""
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
    print("| precision | best similarity | against float32 (95 %) |\n|---|---|---|")
    for dtype, row in result.items():
        mean, low, high = row["difference"]
        print(f"| {dtype} | {row['mean']:.4f} | {mean:+.4f} ({low:+.4f} to {high:+.4f}) |")
    if options.save:
        print(save("precision", {"machine": about, **vars(options), "results": result}))


if __name__ == "__main__":
    main()
