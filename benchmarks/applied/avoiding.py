"""Negative prompts: how far from a picture they are.

A prompt that is far from one picture may be far from all. So the table shows its cosine to the
picture, its mean cosine to the 299 others, and the share of the others that are farther: 50 % is
chance.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from pez_core import learn_prompt, make_targets

from ..measure import markdown
from .shared import FLOAT32, bench, interval

COUNT = 40
OTHERS = 5
ALONE, AGAINST = "--negative alone", f"--negative, and {OTHERS} other pictures to come near to"
POSITIVE = "*the prompt of the picture*"
EXAMPLES = (
    ("invert", "--negative", "examples/pizza.png", "--candidates", "3", *FLOAT32),
    ("invert", "examples/penguin.png", "examples/elephant.png", "--negative", "examples/pizza.png",
     "--candidates", "3", *FLOAT32),
)  # fmt: skip


def run(case: int) -> dict[str, Any]:
    """The prompts of one picture, with their cosines by the model and by the judge."""
    model, judge, features = bench()
    picture, *others = np.random.default_rng(case).permutation(300)[: 1 + OTHERS].tolist()
    near = make_targets(features[[picture]])
    away = make_targets(features[[picture]], [-1.0])
    against = make_targets(features[[picture, *others]], [-1.0] + [1 / OTHERS] * OTHERS)
    found = {}
    goals = {ALONE: away, AGAINST: against, POSITIVE: near}
    for method, targets in goals.items():
        prompt = learn_prompt(model, targets, seed=case).best.text
        read = {
            "": model.encode_texts([prompt])[0] @ features.T,
            "judge ": judge.read([prompt])[0] @ judge.features.T,
        }
        found[method] = {"prompt": prompt}
        for who, scores in read.items():
            found[method] |= _place(scores, picture, who)
    return {"picture": judge.reserved.names[picture], "methods": found}


def _place(scores: Tensor, picture: int, who: str) -> dict[str, float]:
    """The score of a picture, the mean of the others, and the share of others that are lower.
    scores: (300,)"""
    rest = torch.cat([scores[:picture], scores[picture + 1 :]])
    return {
        f"{who}cosine": scores[picture].item(),
        f"{who}others": rest.mean().item(),
        f"{who}farther": (rest < scores[picture]).float().mean().item(),
    }


def table(cases: list[dict[str, Any]]) -> list[str]:
    rows = []
    for method in (ALONE, AGAINST, POSITIVE):
        found = [case["methods"][method] for case in cases]
        row = [method]
        for who in ("", "judge "):
            row += [
                f"{np.mean([f[who + key] for f in found]):+.3f}" for key in ("cosine", "others")
            ]
            row.append(interval([100 * f[f"{who}farther"] for f in found], 0))
        rows.append(row)
    head = ["learned with", "cosine to the picture", "to others", "farther, %"]
    return markdown([*head, "judge similarity to the picture", "to others", "farther, %"], rows)
