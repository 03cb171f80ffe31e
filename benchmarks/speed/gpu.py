"""Everything about a GPU in one table: steps with and without a CUDA graph, whole runs, memory.

    python -m benchmarks.gpu [--save]           # one CUDA device; ViT-H-14, 16 tokens; minutes

Random weights of the true size: speed depends on shapes alone. The floor of a step is the time to
read the tower's blocks twice, forward and backward, at the memory bandwidth given (4.3 TB/s is an
H200's, measured). That the precisions find equally good prompts is measured on the embedded model,
20 pictures of `examples/` and of their halves. But: not yet run; no GPU was at hand when this was
written.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from pez_core import ClipModel, SearchConfig, learn_prompt, load_model, make_targets, open_picture
from pez_core.objective import Cosine
from pez_core.optimizers import Pez
from pez_core.projection import token_table
from pez_core.reference import Reference
from pez_core.targets import make_targets as targets_of

from .measure import RESULTS, PeakMemory, machine, paired_bootstrap, save
from .step_speed import Setting

DTYPES = ("float32", "float16", "bfloat16")
RESTARTS = (1, 16)


def seconds_a_step(step: Callable[[], None], steps: int) -> float:
    """Median seconds of a step that is not waited for within ten, as a search does it."""
    for _ in range(8):
        step()
    seconds = []
    for _ in range(max(1, steps // 10)):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(10):
            step()
        torch.cuda.synchronize()
        seconds.append((time.perf_counter() - start) / 10)
    return float(np.median(seconds))


def make_pez(setting: Setting, dtype: str, restarts: int, steps: int, graph: bool) -> Pez:
    """PEZ on the setting's random tower."""
    fast = setting.tower.to("cuda", getattr(torch, dtype))
    table = token_table(fast.token_embedding, setting.allowed, dtype=getattr(torch, dtype))
    config = SearchConfig(steps=steps, restarts=restarts)
    targets, seed = targets_of(setting.target), torch.Generator().manual_seed(0)
    objective = Cosine(fast, setting.layout, [targets])
    return Pez(objective, table, config, [seed], capture=graph)


def floor(setting: Setting, dtype: str, bandwidth: float) -> float:
    """Seconds to read the blocks' weights twice."""
    blocks = [vars(block).values() for block in setting.tower.blocks]
    numbers = sum(tensor.numel() for block in blocks for tensor in block)
    return 2 * numbers * getattr(torch, dtype).itemsize / (bandwidth * 1e12)


def of_steps(setting: Setting, options: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for the reference and for every precision, number of restarts and way to launch."""
    generator = torch.Generator().manual_seed(0)
    config = SearchConfig(steps=options.steps + 100)
    reference = Reference(
        setting.tower, setting.allowed, setting.layout, setting.target, config, generator
    )
    base = seconds_a_step(reference.step, min(options.steps, 50))
    rows = [{"method": "reference", "dtype": "float32", "restarts": 1, "step": base, "ratio": 1.0}]
    for dtype in DTYPES:
        for restarts in RESTARTS:
            for graph in (False, True):
                with PeakMemory("cuda") as memory:
                    pez = make_pez(setting, dtype, restarts, options.steps + 100, graph)
                    step = seconds_a_step(pez.step, options.steps)
                rows.append({
                    "method": "graph" if graph else "eager", "dtype": dtype, "restarts": restarts,
                    "step": step, "ratio": base * restarts / step,
                    "over_floor": step / floor(setting, dtype, options.bandwidth),
                    "megabytes": memory.megabytes,
                })  # fmt: skip
    return rows


def of_runs(setting: Setting, dtype: str) -> dict[int, float]:
    """Seconds of 3000 steps, warm-up and capture included, with looks at the best as a search."""
    seconds = {}
    for restarts in RESTARTS:
        torch.cuda.synchronize()
        start = time.perf_counter()
        pez = make_pez(setting, dtype, restarts, 3000, graph=True)
        for step in range(3000):
            pez.step()
            if step % 5 == 4:
                pez.best_scores.tolist()
        torch.cuda.synchronize()
        seconds[restarts] = time.perf_counter() - start
    return seconds


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


def show(results: dict[str, Any]) -> None:
    print("| method | precision | restarts | a step | × reference a step and restart "
          "| × floor | memory |\n|---|---|---|---|---|---|---|")  # fmt: skip
    for row in results["steps"]:
        print(
            f"| {row['method']} | {row['dtype']} | {row['restarts']} | {1000 * row['step']:.2f} ms "
            f"| {row['ratio']:.1f} | {row.get('over_floor', float('nan')):.1f} "
            f"| {row.get('megabytes', float('nan')):.0f} MB |"
        )
    for restarts, seconds in results["runs"].items():
        print(f"3000 steps, {restarts} restarts: {seconds:.2f} s")
    for dtype, row in results["precision"].items():
        mean, low, high = row["difference"]
        print(f"{dtype}: {row['mean']:.4f}, against float32 {mean:+.4f} ({low:+.4f} … {high:+.4f})")


def main() -> None:
    """Measures everything and prints it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", default="ViT-H-14")
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--bandwidth", type=float, default=4.3, help="TB/s, for the floor")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/gpu.json")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error("this torch has no CUDA device")
    options.device = "cuda"  # what Setting reads
    print(machine(0, "cuda"))
    with torch.inference_mode(False):
        setting = Setting(options.model, options)
        results: dict[str, Any] = {"machine": machine(0, "cuda"), "model": options.model}
        results["steps"] = of_steps(setting, options)
        results["runs"] = of_runs(setting, "bfloat16")
        results["precision"] = of_precision(load_model("demo"), "cuda", 20, SearchConfig())
    show(results)
    if options.save:
        print(save("gpu", results))


if __name__ == "__main__":
    main()
