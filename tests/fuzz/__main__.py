"""Fuzzes for longer than the test suite does: `python -m tests.fuzz --minutes 30`.

Each round runs the folder with a new seed and many examples. It ends at the first failure, which
pytest prints with the smallest input that fails.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).parent


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="default: 30")
    parser.add_argument("--seed", type=int, default=0, help="of the first round; default: 0")
    parser.add_argument("-k", default="", metavar="WORDS", help="only these tests, as in pytest")
    arguments = parser.parse_args()
    end = time.monotonic() + 60 * arguments.minutes
    seed, code = arguments.seed, 0
    while code == 0 and (seed == arguments.seed or time.monotonic() < end):
        command = [
            *(sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", str(FOLDER)),
            *(f"--hypothesis-seed={seed}", "--hypothesis-profile=fuzz"),
            *(["-k", arguments.k] if arguments.k else []),
        ]
        # One fixed order of hashes, so that a seed gives the same examples again.
        code = subprocess.call(
            command, cwd=FOLDER.parents[1], env={**os.environ, "PYTHONHASHSEED": "0"}
        )
        print(f"seed {seed}: {'passed' if code == 0 else 'failed'}", flush=True)
        seed += 1
    return code


if __name__ == "__main__":
    sys.exit(main())
