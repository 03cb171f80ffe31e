"""Seconds of 1, 2 and 4 searches at once on the cores of this machine, by how idle threads wait.

    python -m benchmarks.speed.busy [--rounds 3] [--at-once 1 2 4] [--save]

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
from pathlib import Path
from statistics import median
from typing import Any

from ..measure import machine, markdown, save

ROOT = Path(__file__).resolve().parents[2]
TOKENS = "16"
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
# The environment of each way. `pez` leaves a variable alone that is set, and OpenMP an empty one.
WAYS: dict[str, dict[str, str]] = {
    "OpenMP's own": {"OMP_WAIT_POLICY": ""},
    "passive (ours)": {"OMP_WAIT_POLICY": "PASSIVE"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}


def environment(way: str) -> dict[str, str]:
    """This process's, with one of the WAYS and without other settings of OpenMP's."""
    left_out = ("OMP_", "GOMP_", "KMP_", "MKL_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return {**kept, "PYTHONPATH": str(ROOT), **WAYS[way]}


def processes(way: str, count: int) -> tuple[float, str]:
    """Seconds of some commands at once, and the prompt of the first."""
    started = time.perf_counter()
    running = [
        subprocess.Popen(
            [sys.executable, "-c", COMMAND, *SEARCH, "--seed", str(seed)],
            env=environment(way), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        for seed in range(count)
    ]  # fmt: skip
    printed = [process.communicate()[0] for process in running]
    return time.perf_counter() - started, json.loads(printed[0])["prompt"]


def threads(way: str, count: int) -> float:
    """Seconds of some searches at once in one process."""
    done = subprocess.run(
        [sys.executable, "-c", IN_PROCESS, str(count)],
        env=environment(way), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(done.stdout)


def measure(rounds: int, counts: list[int]) -> dict[str, Any]:
    """The seconds of every round by kind, way and number, and the prompts of each way."""
    ways = list(WAYS)
    kinds = ("processes", "threads")
    seconds: dict[str, dict[str, dict[int, list[float]]]] = {
        kind: {way: {count: [] for count in counts} for way in ways} for kind in kinds
    }
    prompts: dict[str, str] = {}
    for _ in range(rounds):
        for count in counts:
            for way in ways:
                found, prompts[way] = processes(way, count)
                seconds["processes"][way][count].append(found)
                seconds["threads"][way][count].append(threads(way, count))
        ways.reverse()
    return {"seconds": seconds, "prompts": prompts}


def table(kind: dict[str, dict[int, list[float]]]) -> list[str]:
    """The medians in Markdown: a row for each way, a column for each number at once."""
    counts = list(next(iter(kind.values())))
    head = ["idle threads", *(f"{count} at once" for count in counts)]
    rows = [
        [way, *(f"{median(seconds[count]):.1f} s" for count in counts)]
        for way, seconds in kind.items()
    ]
    return markdown(head, rows)


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/busy.json")
    options = parser.parse_args()
    about = machine(os.cpu_count() or 1)
    print(about)
    found = measure(options.rounds, options.at_once)
    for kind, seconds in found["seconds"].items():
        print(f"\n{kind}\n\n" + "\n".join(table(seconds)))
    print(f"\nthe same prompt in every way: {len(set(found['prompts'].values())) == 1}")
    if options.save:
        print(save("busy", {"machine": about, **found}))


if __name__ == "__main__":
    main()
