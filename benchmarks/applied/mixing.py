"""Mixing: two reserved pictures in one prompt, their words learned apart or all at once.

The judge ranks either picture among the 300 by the prompt; the worse of the two tells whether both
are in it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pez_core import learn_prompt, make_targets
from pez_core.mixing import learn_apart

from .shared import FLOAT32, bench, interval, markdown

COUNT = 40
APART, AT_ONCE = "learned apart", "learned at once"
LENGTHS = (8, 16)
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
            AT_ONCE: learn_prompt(model, targets, f"{{{length}}}", seed=case).best,
            APART: learn_apart(model, targets, [None, None], length, seed=case).best,
        }
        for method, prompt in best.items():
            verdict = judge.verdict([prompt.text] * 2, pair)
            ranks = np.log(verdict.rank)
            found[f"{method}, {length} tokens"] = {
                "prompt": prompt.text, "own": prompt.similarity, "mean": float(ranks.mean()),
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
            for key in ("mean", "worse"):
                row.append(f"{np.mean([f[key] for f in found]):.2f}")
                less = [f[key] - b[key] for f, b in zip(found, base, strict=True)]
                row.append(interval(less, 2, "+") if name != names[0] else "")
            rows.append([*row, f"{np.mean([f['named'] for f in found]):.0%}"])
    head = ["words", "own similarity", "log rank, mean of both", "difference"]
    return markdown([*head, "log rank, worse of both", "difference", "named"], rows)
