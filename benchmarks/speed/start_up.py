"""Seconds from a command to its prompt with the embedded model, by phase, cold and warm.

    python -m benchmarks.speed.start_up [--runs 3] [--save]
    python -m benchmarks.speed.start_up --against-torch [--runs 9]

"Whole" is `pez invert examples/watermelon.png` as its user waits for it, including the
interpreter's start and end. The phases are measured in a separate process that does the same step
by step. "Cold" means that the files of Python's packages and of the model are not in the system's
page cache.

`--against-torch` compares commands with `import torch` and with an empty program. They take turns,
so other load on the machine affects all of them: only the median of the paired ratios counts.
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
PICTURE = ROOT / "examples" / "watermelon.png"
WHOLE = "import sys; from pez_core.cli import main; sys.exit(main())"
PHASES = """
import json, time
marks = [("python", time.perf_counter())]
def mark(name): marks.append((name, time.perf_counter()))
import torch; mark("import torch")
import pez_core.cli.invert; mark("import ours")
from pez_core import learn_prompt, load_model, make_mask, make_targets, open_picture
model = load_model("demo"); mark("load the text tower, vocabulary")
features = model.encode_pictures([open_picture(PICTURE)]); mark("load the image tower, encode")
mask = make_mask(model.vocabulary, words=model.source.words); mark("mask")
result = learn_prompt(model, make_targets(features), mask=mask); mark("search")
print(json.dumps({b[0]: b[1] - a[1] for a, b in zip(marks, marks[1:])}))
"""


def evict() -> None:
    """Remove the files that a start reads from the page cache, as far as a user may."""
    folders = [Path(p) for p in sys.path if p.endswith("site-packages")] + [ROOT / "pez_core"]
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file():
                with path.open("rb") as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def run(code: str, *arguments: str, threads: int) -> tuple[float, str]:
    """The seconds of a fresh interpreter, and its output."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(threads)}
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return time.perf_counter() - start, done.stdout


def measure(cold: bool, threads: int) -> dict[str, float]:
    """Seconds of every phase, and of the whole command."""
    if cold:
        evict()
    whole, _ = run(WHOLE, "invert", str(PICTURE), threads=threads)
    if cold:
        evict()
    _, printed = run(PHASES.replace("PICTURE", repr(str(PICTURE))), threads=threads)
    phases: dict[str, float] = json.loads(printed.splitlines()[-1])
    return {**phases, "whole": whole}


COMMANDS = {
    "pez --version": ("--version",),
    "pez --help": ("--help",),
    "pez invert --help": ("invert", "--help"),
    "pez tokens": ("tokens", "a slice of watermelon"),
    "pez invert PICTURE": ("invert", str(PICTURE)),
}


def ratios(runs: int, threads: int) -> list[str]:
    """Seconds of each command, and as multiples of Python's start and of torch's import."""
    seconds: dict[str, list[float]] = {name: [] for name in ("python", "torch", *COMMANDS)}
    for _ in range(runs):
        seconds["python"].append(run("pass", threads=threads)[0])
        seconds["torch"].append(run("import torch", threads=threads)[0])
        for name, words in COMMANDS.items():
            seconds[name].append(run(WHOLE, *words, threads=threads)[0])

    def times(name: str, base: str) -> str:
        pairs = zip(seconds[name], seconds[base], strict=True)
        return f"{median(own / other for own, other in pairs):.2f}"

    rows = [
        [name, f"{median(found):.2f} s", times(name, "python"), times(name, "torch")]
        for name, found in seconds.items()
    ]
    return markdown(["command", "seconds", "× python", "× import torch"], rows)


def table(results: dict[str, list[dict[str, float]]]) -> str:
    """The medians as Markdown, one row for each phase."""
    lines = ["| phase | " + " | ".join(results) + " |", "|---|" + "---|" * len(results)]
    for phase in next(iter(results.values()))[0]:
        seconds = [median(run[phase] for run in runs) for runs in results.values()]
        lines.append(f"| {phase} | " + " | ".join(f"{s:.2f} s" for s in seconds) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--save", action="store_true", help="write benchmarks/results/start_up.json"
    )
    parser.add_argument("--against-torch", action="store_true", help="print only the ratios")
    options = parser.parse_args()
    about: dict[str, Any] = {"machine": machine(options.threads)}
    print(about["machine"])
    measure(cold=False, threads=options.threads)  # fills the page cache
    if options.against_torch:
        print("\n".join(ratios(options.runs, options.threads)))
        return
    results = {
        kind: [measure(kind == "cold", options.threads) for _ in range(options.runs)]
        for kind in ("warm", "cold")
    }
    print(table(results))
    if options.save:
        print(save("start_up", {**about, "results": results}))


if __name__ == "__main__":
    main()
