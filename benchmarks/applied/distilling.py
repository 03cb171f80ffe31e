"""Distillation: long prompts of reserved captions, made short, compared with the same prompts cut.

The judge measures the similarity of both to the long prompt. A caption counts as kept when the
short prompt contains a content word of its name.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pez_core.applications.distillation import distillation_curve

from ..measure import markdown
from ..quality.embedded_model import recalls
from .shared import FLOAT32, bench, interval, names

COUNT = 30
CAPTIONS = 6  # of a long prompt
TEXT = (
    "a blurry photo of a red watermelon slice on a striped green background, a penguin beside a "
    "christmas tree, vintage, neon sign"
)
EXAMPLES = (("distill", TEXT, "--tokens", "6", "--curve", *FLOAT32),)


def run(case: int) -> dict[str, Any]:
    """The curve of one long prompt, with the judge similarity of both and the share of captions
    kept."""
    model, judge, _ = bench()
    pictures = np.random.default_rng(case).permutation(300)[:CAPTIONS].tolist()
    text = ", ".join(names(pictures))
    own = [judge.reserved.names[picture] for picture in pictures]
    points = []
    for point in distillation_curve(model, text, seed=case):
        learned, cut = judge.text_similarity([point.prompt, point.cut], text)
        kept = [float(np.mean([recalls(t, n) for n in own])) for t in (point.prompt, point.cut)]
        points.append({**point.to_json(), "judge": learned, "judge_cut": cut,
                       "kept": kept[0], "kept_cut": kept[1]})  # fmt: skip
    return {"text": text, "points": points}


def table(cases: list[dict[str, Any]]) -> list[str]:
    rows = []
    for length in (2**power for power in range(7)):
        points = [p for case in cases for p in case["points"] if p["tokens"] == length]
        if len(points) < len(cases):
            break
        gain = [p["similarity"] - p["cut_similarity"] for p in points]
        judged = [p["judge"] - p["judge_cut"] for p in points]
        kept, cut = (np.mean([p[key] for p in points]) for key in ("kept", "kept_cut"))
        rows.append([
            str(length), f"{np.mean([p['ratio'] for p in points]):.0%}",
            f"{np.mean([p['similarity'] for p in points]):.3f}",
            f"{np.mean([p['cut_similarity'] for p in points]):.3f}", interval(gain, 3, "+"),
            f"{np.mean([p['judge'] for p in points]):.3f}",
            f"{np.mean([p['judge_cut'] for p in points]):.3f}", interval(judged, 3, "+"),
            f"{kept:.0%} / {cut:.0%}",
        ])  # fmt: skip
    head = ["tokens", "ratio", "similarity", "of the cut text", "difference"]
    head += ["judge similarity", "of the cut text", "difference", "captions named: learned / cut"]
    return markdown(head, rows)
