"""Seconds of searches on the cores of this machine, quiet and busy, by the threads they use.

    python -m benchmarks.speed.busy [--rounds 3] [--save]

1, 2 and 4 searches run at once, and one beside another program that keeps every core busy.
"Processes" are commands, `pez invert` of a text: the time until the last one ends, with Python's
start and the import of torch. "Threads" are searches in one process, as nodes and other programs
call them: the time of the searches alone. The ways take turns, in an order that is reversed after
each round, so other load on the machine affects all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from statistics import median
from typing import Any

from ..measure import machine, markdown, save

ROOT = Path(__file__).resolve().parents[2]
TOKENS = "16"
ALL_THREADS = """
import pez_core.compute.threads as threads
assert threads.SMALL_WIDTH
threads.SMALL_WIDTH = 0
"""
COMMAND = "import sys; from pez_core.cli import main; sys.exit(main())"
SEARCH = ("invert", "--text", "a slice of watermelon", "--tokens", TOKENS, "--json")
IN_PROCESS = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from pez_core import learn_prompt, load_model, make_mask, make_targets
model = load_model("demo")
targets = make_targets(model.encode_texts(["a slice of watermelon"]))
mask = make_mask(model.vocabulary, words=model.source.words)
search = lambda seed: learn_prompt(model, targets, "{16}", mask=mask, seed=seed).best.text
search(0)  # warm-up
count = int(sys.argv[1])
with ThreadPoolExecutor(count) as pool:
    started = time.perf_counter()
    list(pool.map(search, range(count)))
    print(time.perf_counter() - started)
"""
OTHER_PROGRAM = """
import torch
matrix = torch.randn(300, 300)
while True:
    matrix = torch.tanh(matrix @ matrix)
"""
# How idle threads wait (`pez` leaves a variable alone that is set), and what is run before.
WAYS: dict[str, tuple[str, str]] = {
    "all, spinning": ("", ALL_THREADS),
    "all, asleep (pez)": ("PASSIVE", ""),
    "one (nodes)": ("", ""),
}
# How many searches run at once, and whether beside another program.
LOADS = {"1": (1, False), "2": (2, False), "4": (4, False), "1, busy": (1, True)}


def run(way: str, code: str, *arguments: str) -> subprocess.Popen[str]:
    """A program under this process's environment, without other settings of OpenMP's."""
    left_out = ("OMP_", "GOMP_", "KMP_", "MKL_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    waiting, before = WAYS[way]
    return subprocess.Popen(
        [sys.executable, "-c", f"{before}\n{code}", *arguments],
        env={**kept, "PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": waiting},
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip


def printed(process: subprocess.Popen[str]) -> str:
    """What a program printed. Raises RuntimeError if it failed."""
    text = process.communicate()[0]
    if process.returncode:
        raise RuntimeError(f"a program ended with {process.returncode}")
    return text


def processes(way: str, count: int) -> tuple[float, str]:
    """Seconds of some commands at once, and the prompt of the first."""
    started = time.perf_counter()
    running = [run(way, COMMAND, *SEARCH, "--seed", str(seed)) for seed in range(count)]
    texts = [printed(process) for process in running]
    return time.perf_counter() - started, json.loads(texts[0])["prompt"]


def threads(way: str, count: int) -> float:
    """Seconds of some searches at once in one process."""
    return float(printed(run(way, IN_PROCESS, str(count))))


@contextmanager
def other_program() -> Iterator[None]:
    """Keeps every core busy."""
    program = run("all, spinning", OTHER_PROGRAM)
    try:
        yield
    finally:
        program.kill()
        program.wait()


def measure(rounds: int) -> dict[str, Any]:
    """The seconds of every round by kind, way and load, and the prompts of each way."""
    ways = list(WAYS)
    seconds: dict[str, dict[str, dict[str, list[float]]]] = {
        kind: {way: {load: [] for load in LOADS} for way in ways}
        for kind in ("processes", "threads")
    }
    prompts: dict[str, str] = {}
    for _ in range(rounds):
        for load, (count, busy) in LOADS.items():
            with other_program() if busy else nullcontext():
                for way in ways:
                    found, prompts[way] = processes(way, count)
                    seconds["processes"][way][load].append(found)
                    seconds["threads"][way][load].append(threads(way, count))
        ways.reverse()
    return {"seconds": seconds, "prompts": prompts}


def table(kind: dict[str, dict[str, list[float]]]) -> list[str]:
    """The medians in Markdown: a row for each way, a column for each load."""
    head = ["threads", "1", "2 at once", "4 at once", "1 beside another program"]
    rows = [
        [way, *(f"{median(seconds):.1f} s" for seconds in by_load.values())]
        for way, by_load in kind.items()
    ]
    return markdown(head, rows)


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/busy.json")
    options = parser.parse_args()
    about = machine(os.cpu_count() or 1)
    print(about)
    found = measure(options.rounds)
    for kind, seconds in found["seconds"].items():
        print(f"\n{kind}\n\n" + "\n".join(table(seconds)))
    print(f"\nthe same prompt in every way: {len(set(found['prompts'].values())) == 1}")
    if options.save:
        print(save("busy", {"machine": about, **found}))


if __name__ == "__main__":
    main()
