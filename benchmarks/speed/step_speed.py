"""Seconds per PEZ step: the fast path compared with `reference`, on random weights of the true
sizes.

    python -m benchmarks.speed.step_speed [--device cuda] [--dtypes float32 bfloat16] [--save]

Speed depends on shapes, not on weights. Both run in one process and take turns after each step, so
other load on the machine affects both. The figures are the median and the quartiles.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import open_clip
import torch
from torch import Tensor
from torch.nn import functional as F

from pez_core.clip.architecture import Architecture, from_open_clip
from pez_core.clip.block import Block
from pez_core.clip.text_tower import TextTower
from pez_core.compute.precision import arithmetic_of
from pez_core.config import SearchConfig
from pez_core.search.objective import Cosine
from pez_core.search.optimizers import Pez
from pez_core.search.projection import token_table
from pez_core.search.reference import Reference
from pez_core.targets import make_targets

from ..measure import PeakMemory, machine, save

START, END = 49406, 49407


def random_tower(arch: Architecture, generator: torch.Generator) -> TextTower:
    """A text tower of one architecture with random weights, float32, on the CPU."""

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator) * 0.02

    d, m = arch.width, arch.mlp_width
    blocks = tuple(
        Block(
            torch.ones(d),
            torch.zeros(d),
            draw(3 * d, d),
            draw(3 * d),
            draw(d, d),
            draw(d),
            torch.ones(d),
            torch.zeros(d),
            draw(m, d),
            draw(m),
            draw(d, m),
            draw(d),
        )
        for _ in range(arch.layers)
    )
    table, positions = draw(arch.vocab_size, d), draw(arch.context_length, d)
    projection = draw(d, arch.embed_dim)
    return TextTower(
        table,
        positions,
        blocks,
        torch.ones(d),
        torch.zeros(d),
        projection,
        arch.heads,
        arch.activation,
    )


@dataclass(frozen=True)
class Method:
    """The reference, or PEZ in a precision with a number of restarts. dtype: empty for the
    reference."""

    dtype: str
    restarts: int

    def __str__(self) -> str:
        return f"{self.dtype} x{self.restarts}" if self.dtype else "reference"


class Setting:
    """A random tower of one architecture, and the steps to run on it."""

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        arch = from_open_clip(open_clip.get_model_config(name), name=name)
        generator = torch.Generator().manual_seed(0)
        self.options = options
        self.tower = random_tower(arch, generator).to(options.device)
        target = F.normalize(torch.randn(1, arch.embed_dim, generator=generator), dim=-1)
        self.target = target.to(options.device)
        self.layout = torch.tensor([START, *[-1] * options.tokens, END])
        self.allowed = torch.arange(START)

    def step_of(self, method: Method) -> Callable[[], None]:
        config = SearchConfig(steps=self.options.steps + 2, restarts=method.restarts)
        seed = torch.Generator().manual_seed(0)
        if not method.dtype:
            reference = Reference(self.tower, self.allowed, self.layout, self.target, config, seed)
            return reference.step
        dtype = getattr(torch, method.dtype)
        fast = self.tower.to(self.options.device, dtype).for_search()
        arithmetic = arithmetic_of(self.options.device, dtype)  # as in a search
        table = token_table(fast.token_embedding, self.allowed, dtype=arithmetic)
        objective = Cosine(fast, self.layout, [make_targets(self.target)])
        return Pez(objective, table, config, [seed]).step


def methods_of(options: argparse.Namespace) -> list[Method]:
    ours = [Method(dtype, count) for dtype in options.dtypes for count in options.restarts]
    return [Method("", 1), *ours]


def seconds_of_steps(name: str, options: argparse.Namespace) -> dict[str, list[float]]:
    """Seconds of every measured step of every method. The methods take turns."""
    setting = Setting(name, options)
    steps = {str(method): setting.step_of(method) for method in methods_of(options)}
    for step in steps.values():
        step()  # warm-up
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(options.steps):
        for method, step in steps.items():
            _wait(options.device)
            start = time.perf_counter()
            step()
            _wait(options.device)
            seconds[method].append(time.perf_counter() - start)
    return seconds


def peak_memory(name: str, method: Method, options: argparse.Namespace) -> float:
    """MB that a method needs besides the tower's weights, including its own tables."""
    torch.set_num_threads(options.threads)
    setting = Setting(name, options)
    with PeakMemory(options.device) as peak:
        step = setting.step_of(method)
        step()
        step()
    return peak.megabytes


def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds and memory of all methods. Memory is measured in a fresh process for each, where no
    memory is reused."""
    memory = {}
    for method in methods_of(options):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as fresh:
            memory[str(method)] = fresh.submit(peak_memory, name, method, options).result()
    return {"model": name, "seconds": seconds_of_steps(name, options), "peak_mb": memory}


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def table(results: list[dict[str, Any]]) -> str:
    """The results as Markdown: time per step, and the speed-up per step and restart."""
    lines = [
        "| model | method | ms a step (quartiles) | × `reference` per step and restart | memory |",
        "|---|---|---|---|---|",
    ]
    for result in results:
        base = np.median(result["seconds"]["reference"])
        for name, seconds in result["seconds"].items():
            low, middle, high = np.percentile(seconds, [25, 50, 75]) * 1000
            restarts = int(name.split("x")[1]) if "x" in name else 1
            ratio = 1000 * base * restarts / middle
            lines.append(
                f"| {result['model']} | {name} | {middle:.0f} ({low:.0f}–{high:.0f}) "
                f"| {ratio:.1f} | {result['peak_mb'][name]:.0f} MB |"
            )
    return "\n".join(lines)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--models", nargs="+", default=["ViT-L-14-quickgelu", "ViT-H-14"])
    parser.add_argument("--tokens", type=int, default=16, help="the authors' own setting")
    parser.add_argument("--restarts", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--steps", type=int, default=15, help="steps measured of each")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--dtypes", nargs="+", default=["float32", "bfloat16"], help="of the fast path's weights"
    )
    parser.add_argument(
        "--save", action="store_true", help="write benchmarks/results/step_speed.json"
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(machine(options.threads, options.device))
    results = []
    for name in options.models:
        results.append(measure(name, options))
        print(table(results[-1:]), flush=True)
    if options.save:
        about = {"machine": machine(options.threads, options.device), "tokens": options.tokens}
        print(save("step_speed", {**about, "results": results}))


if __name__ == "__main__":
    main()
