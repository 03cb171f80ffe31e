"""Peak memory of a whole inversion with a CLIP of true size, above the bare interpreter, by phase.

    python -m benchmarks.speed.memory [--stored float16] [--dtype float16] [--save]

It writes random weights of both towers as a file (2 GB for ViT-H-14 in half precision) into a
temporary folder, and learns a prompt with it in a fresh process: `load_model`, one picture, a short
round of PEZ and of refinement. The peak is that of resident memory (VmHWM), which includes pages of
mapped files.
But: only on Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from ..measure import machine, save
from .random_models import write_model

ROOT = Path(__file__).resolve().parents[2]
GIVEN = """
import json, sys
from pathlib import Path
peaks = {}
def status(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1000 for line in lines if line.startswith(key))
bare = status("VmRSS")
def mark(name):
    peaks[name] = [status("VmHWM") - bare, status("VmRSS") - bare]
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    print(name, *(f"{megabytes:.0f} MB" for megabytes in peaks[name]), file=sys.stderr)
import torch
"""
PHASES = """
torch.set_num_threads(int(sys.argv[3]))
dtype = getattr(torch, sys.argv[2])
from pez_core import SearchConfig, learn_prompt, load_model, make_targets, open_picture
mark("import torch and ours")
model = load_model(sys.argv[1], as_stored=dtype != torch.float32)
mark("load the text tower")
features = model.encode_pictures([open_picture("examples/watermelon.png")])
mark("encode the picture")
config = SearchConfig(restarts=int(sys.argv[4]), steps=2, rounds=1, refine=1, swaps=2)
learn_prompt(model, make_targets(features), "{16}", config=config, dtype=dtype)
mark("search")
print(json.dumps(peaks))
"""


def measure(name: str, options: argparse.Namespace) -> dict[str, list[float]]:
    """Peak and remaining MB of every phase."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_model(name, Path(folder), getattr(torch, options.stored))
        run = subprocess.run(
            [sys.executable, "-c", GIVEN + PHASES, str(path)]
            + [options.dtype, str(options.threads), str(options.restarts)],
            env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=ROOT,
            stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
    peaks: dict[str, list[float]] = json.loads(run.stdout.splitlines()[-1])
    return peaks


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", default="ViT-H-14")
    parser.add_argument("--stored", default="float16", help="precision of the file")
    parser.add_argument("--dtype", default="float16", help="precision of the search")
    parser.add_argument("--restarts", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/memory.json")
    options = parser.parse_args()
    about: dict[str, Any] = {"machine": machine(options.threads), **vars(options)}
    print(f"{about['machine']}; {options.model} as {options.stored}, searched in {options.dtype}")
    peaks = measure(options.model, options)
    print("| phase | peak above the interpreter | left after it |\n|---|---|---|")
    for phase, (peak, left) in peaks.items():
        print(f"| {phase} | {peak:.0f} MB | {left:.0f} MB |")
    print(f"| whole | {max(peak for peak, _ in peaks.values()):.0f} MB | |")
    if options.save:
        print(save("memory", {**about, "peaks_mb": peaks}))


if __name__ == "__main__":
    main()
