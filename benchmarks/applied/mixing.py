"""Mixing: two reserved pictures in one prompt, with words learned separately or together.

The judge measures the similarity of the prompt to each picture, and the rank of each picture among
300. The worse of the two figures shows whether the prompt contains both.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pez_core import learn_prompt, make_targets
from pez_core.applications.mixing import learn_apart
from pez_core.text.template import plain_template

from ..measure import markdown
from .shared import FLOAT32, bench, interval

COUNT = 100
SEPARATELY, TOGETHER = "learned separately", "learned together"
LENGTHS = (8, 16)
# Columns of the table: the figure, its digits, and its scale.
COLUMNS = (("near", 3, 1), ("worse", 2, 1), ("mean", 2, 1), ("named", 0, 100))
BOTH = ("examples/penguin.png", "examples/strawberry.png")
EXAMPLES = (
    ("mix", *BOTH, "--mode", "learn", "--candidates", "2", *FLOAT32),
    ("mix", *BOTH, "--mode", "concatenate", *FLOAT32),
    ("mix", f"{BOTH[0]}@3", BOTH[1], "--mode", "concatenate", *FLOAT32),
)


def pair_of(case: int) -> list[int]:
    """The two reserved pictures of a case."""
    rows: list[int] = np.random.default_rng(0).permutation(300)[2 * case : 2 * case + 2].tolist()
    return rows


def run(case: int) -> dict[str, Any]:
    """The prompts of one pair, with their own similarity and the judge's figures."""
    model, judge, features = bench()
    pair = pair_of(case)
    targets = make_targets(features[pair])
    found = {}
    for length in LENGTHS:
        best = {
            TOGETHER: learn_prompt(model, targets, plain_template(length), seed=case).best,
            SEPARATELY: learn_apart(model, targets, [None, None], length, seed=case).best,
        }
        for method, prompt in best.items():
            verdict = judge.verdict([prompt.text] * 2, pair)
            ranks = np.log(verdict.rank)
            found[f"{method}, {length} tokens"] = {
                "prompt": prompt.text, "own": prompt.similarity,
                "near": float(verdict.similarity.min()), "mean": float(ranks.mean()),
                "worse": float(ranks.max()), "named": float(verdict.recall.mean()),
            }  # fmt: skip
    return {"pair": [judge.reserved.names[i] for i in pair], "methods": found}


def table(cases: list[dict[str, Any]]) -> list[str]:
    rows = []
    for length in LENGTHS:
        names = [f"{method}, {length} tokens" for method in (TOGETHER, SEPARATELY)]
        base = [case["methods"][names[0]] for case in cases]
        for name in names:
            found = [case["methods"][name] for case in cases]
            row = [name, f"{np.mean([f['own'] for f in found]):.3f}"]
            for key, digits, scale in COLUMNS:
                values = [scale * f[key] for f in found]
                change = [value - scale * b[key] for value, b in zip(values, base, strict=True)]
                row.append(f"{np.mean(values):.{digits}f}")
                row.append(interval(change, digits, "+") if name != names[0] else "")
            rows.append(row)
    head = ["words", "own similarity"]
    for column in (
        "judge similarity to the worse",
        "log rank, worse",
        "log rank, mean",
        "named, %",
    ):
        head += [column, "difference"]
    return markdown(head, rows)
