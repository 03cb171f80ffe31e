"""Which changes of a search paint better? The prompts that quality/transfer.py saved, painted.

    python -m benchmarks.painted.levers --work DIR [--seeds 4] [--save]

Differences are from its first row, one round of 40 steps. See `painted/table.py` for the rest, and
`painted/choosing.py` for the last table.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from pez_core import load_model

from ..judge import Judge
from ..measure import machine, save, saved
from .choosing import choice_table
from .judging import about, correlations, means, painted_figures, painter_of, table
from .picture_sets import picture_set

BASE, TRUE_NAME = "plain", "the true name"


def main() -> None:
    """Paint what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--painter", default="demo")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--save", action="store_true", help="write results/painted_levers.json")
    options = parser.parse_args()
    searched = saved("transfer")
    texts, painter = searched["prompts"], painter_of(options.painter)
    pictures = picture_set("fxemoji")
    model = load_model("demo")
    figures = painted_figures(Judge(), model, pictures, painter, texts, options.seeds, options.work)
    learned = [name for name in texts if name != TRUE_NAME]
    choices = choice_table(model, pictures, texts, figures, learned)
    print(*table(figures, BASE), "", *correlations(figures, learned), "", *choices, sep="\n")
    if options.save:
        known = {"machine": machine(torch.get_num_threads()), "painter": about(painter),
                 "pictures": searched["pictures"], "seeds": options.seeds}  # fmt: skip
        print(save("painted_levers", {**known, "methods": means(figures), "choices": choices}))


if __name__ == "__main__":
    main()
