"""Mixing: two reserved pictures in one prompt, their words learned apart or all at once.

The judge tells how near the prompt is to either picture, and ranks it among the 300 by the prompt;
the worse of the two tells whether both are in it.
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
APART, AT_ONCE = "learned apart", "learned at once"
LENGTHS = (8, 16)
# Of the table: what is told of a prompt, its digits, and what it is multiplied by.
COLUMNS = (("near", 3, 1), ("worse", 2, 1), ("mean", 2, 1), ("named", 0, 100))
BOTH = ("examples/penguin.png", "examples/strawberry.png")
EXAMPLES = (
    ("mix", *BOTH, "--mode", "learn", "--candidates", "2", *FLOAT32),
    ("mix", *BOTH, "--mode", "concatenate", *FLOAT32),
    ("mix", f"{BOTH[0]}@3", BOTH[1], "--mode", "concatenate", *FLOAT32),
)


def run(case: int) -> dict[str, Any]:
    """The prompts of one pair, with their own similarity, and both log ranks by the judge."""
    model, judge, features = bench()
    pair = np.random.default_rng(0).permutation(300)[2 * case : 2 * case + 2].tolist()
    targets = make_targets(features[pair])
    found = {}
    for length in LENGTHS:
        best = {
            AT_ONCE: learn_prompt(model, targets, plain_template(length), seed=case).best,
            APART: learn_apart(model, targets, [None, None], length, seed=case).best,
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
        names = [f"{method}, {length} tokens" for method in (AT_ONCE, APART)]
        base = [case["methods"][names[0]] for case in cases]
        for name in names:
            found = [case["methods"][name] for case in cases]
            row = [name, f"{np.mean([f['own'] for f in found]):.3f}"]
            for key, digits, scale in COLUMNS:
                values = [scale * f[key] for f in found]
                less = [value - scale * b[key] for value, b in zip(values, base, strict=True)]
                row.append(f"{np.mean(values):.{digits}f}")
                row.append(interval(less, digits, "+") if name != names[0] else "")
            rows.append(row)
    head = ["words", "own similarity"]
    for column in ("judge's to the worse", "log rank, worse", "log rank, mean", "named, %"):
        head += [column, "difference"]
    return markdown(head, rows)
