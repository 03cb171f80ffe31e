"""Runs and measures the applications of the paper's §4.2: distillation, style, mixing, negatives.

    python -m benchmarks.applied.applications [--jobs 2] [--only style …] [--cases 10] [--save]

It runs the worked examples of docs/applications.md on the embedded model, and the measurements over
reserved pictures (`benchmarks/applied/`). `--save` writes results/ and inserts
examples and tables into the page, between its marker comments. The tables of
`benchmarks.quality.length` and `benchmarks.quality.length_steps` are inserted as well: `--only
--save` runs nothing and writes the saved tables.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import re
import shlex
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from pez_core.cli import main as pez

from ..measure import machine, save, saved
from ..quality import length, length_steps
from . import avoiding, distilling, mixing, styling

APPLICATIONS: dict[str, ModuleType] = {
    "distillation": distilling, "style": styling, "mixing": mixing, "negative": avoiding,
}  # fmt: skip
PAGE = Path(__file__).parents[2] / "docs" / "applications.md"
_BLOCK = "<!-- {name} -->\n{text}<!-- end of {name} -->"


def example(commands: Sequence[Sequence[str]]) -> str:
    """Command lines of `pez` with their output, as a block of Markdown."""
    runs = []
    for command in commands:
        out = io.StringIO()
        with redirect_stdout(out):
            code = pez(command)
        if code:
            raise SystemExit(f"pez {shlex.join(command)} ended with {code}")
        runs.append(f"$ pez {shlex.join(command)}\n{out.getvalue()}")
    return "```\n" + "\n".join(runs) + "```"


def with_blocks(page: str, blocks: dict[str, str]) -> str:
    """A page with the text between the marker comments of each name replaced.

    Raises ValueError for a name without its pair of markers.
    """
    for name, text in blocks.items():
        pattern = _BLOCK.format(name=re.escape(name), text=".*?")
        if len(re.findall(pattern, page, re.DOTALL)) != 1:
            raise ValueError(f"the page has not one pair of markers for {name!r}")
        block = _BLOCK.format(name=name, text=f"{text}\n")
        page = re.sub(pattern, lambda _, block=block: block, page, flags=re.DOTALL)
    return page


def measured(name: str, cases: int, pool: ProcessPoolExecutor) -> list[dict[str, Any]]:
    """The figures of all cases of an application."""
    return list(pool.map(APPLICATIONS[name].run, range(cases)))


def write(known: dict[str, dict[str, Any]]) -> None:
    """Save the results, and insert them into the page with the tables of the benchmarks of length.
    known: machine, blocks and figures, each by application."""
    save("applications", known)
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(with_blocks(page, {**known["blocks"], **length_blocks()}), encoding="utf-8")


def length_blocks() -> dict[str, str]:
    """The last saved tables of `benchmarks.quality.length` and
    `benchmarks.quality.length_steps`."""
    tables = {
        f"length {preset} figures": length.summary(found["rows"])
        for preset, found in saved("length").items()
    }
    tables["length steps figures"] = length_steps.summary(saved("length_steps")["rows"])
    return {name: "\n".join(table) for name, table in tables.items()}


def main() -> None:
    """Run examples and cases, print the blocks, and write them into the page."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--only", nargs="*", choices=APPLICATIONS, default=list(APPLICATIONS))
    parser.add_argument(
        "--cases", type=int, help="of each (default: its own number; 0: examples alone)"
    )
    parser.add_argument("--save", action="store_true", help="write results/ and docs/")
    options = parser.parse_args()
    torch.set_num_threads(1)
    known = saved("applications")
    machines, blocks, figures = (known.setdefault(k, {}) for k in ("machine", "blocks", "figures"))
    styling.prepare()
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=spawn) as pool:
        for name in options.only:
            application = APPLICATIONS[name]
            if options.cases != 0:
                machines[name] = machine(1, processes=options.jobs)
                figures[name] = measured(name, options.cases or application.COUNT, pool)
            blocks[f"{name} example"] = example(application.EXAMPLES)
            blocks[f"{name} figures"] = "\n".join(application.table(figures[name]))
            print(blocks[f"{name} example"], blocks[f"{name} figures"], sep="\n", flush=True)
            if options.save:  # after each, because all of them take minutes
                write(known)
    if options.save:
        write(known)


if __name__ == "__main__":
    main()
