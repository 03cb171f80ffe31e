"""Styles: one prompt for five pictures of different things in one style, applied to other things.

The styles are filters over reserved pictures (`training/effects.py`). The judge reads "… in the
style of …" for a thing that was not used in learning, and picks the nearest of its eight pictures:
plain and in all seven styles. Other methods use the things' names as negative targets at two
weights, or ban their words.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pez_core import learn_prompt, make_mask, make_targets
from pez_core.applications.style import apply_style
from pez_core.text.template import plain_template
from training.attributes import EFFECT_WORDS
from training.effects import FILTERS

from ..judge import Judge
from ..measure import markdown
from ..quality.embedded_model import HOLLOW, words
from .shared import FLOAT32, bench, interval, names

STYLES = tuple(FILTERS)
GROUPS = 3  # of pictures, for each style
COUNT = GROUPS * len(STYLES)
LEARNED_FROM, APPLIED_TO, TOKENS = 5, 12, 4
METHODS = {
    "the pictures alone": (0.0, False),
    "content as texts, weight −0.05": (0.05, False),
    "content as texts, weight −0.5": (0.5, False),
    "words of the content banned": (0.0, True),
}
WORD = "*the style's own word*"
# The example's pictures: reserved pictures in a style; `prepare` writes them.
FOLDER, SHOWN = Path("examples/neon"), {"bird": 74, "cactus": 115, "fish": 176, "tractor": 43}
FILES = tuple(f"{FOLDER}/{name}.png" for name in SHOWN)
APPLIED = ("--subject", "a fox", "--subject", "a castle", "--candidates", "2", *FLOAT32)
EXAMPLES = (
    ("style", *FILES, "--tokens", "3", *APPLIED),
    ("style", *FILES, "--tokens", "3", "--ban", "bird*,fish*", *APPLIED),
)


def styled(pictures: list[Image.Image], style: str, seed: int) -> list[Image.Image]:
    """Pictures of one size in a style."""
    stack = np.stack([np.asarray(picture) for picture in pictures])
    values = torch.from_numpy(stack).permute(0, 3, 1, 2) / 255  # (N, 3, H, W)
    done = FILTERS[style](values, torch.Generator().manual_seed(seed)).clamp(0, 1)
    return [Image.fromarray(p) for p in (done.permute(0, 2, 3, 1) * 255).byte().numpy()]


def drawn(case: int) -> tuple[list[int], list[int]]:
    """The reserved pictures that a case learns from, and those it is applied to."""
    rows = np.random.default_rng(case // len(STYLES)).permutation(300)
    return rows[:LEARNED_FROM].tolist(), rows[LEARNED_FROM:][:APPLIED_TO].tolist()


def in_all_styles(judge: Judge, things: list[int]) -> Tensor:
    """The judge's features of reserved pictures, plain and in every style: (styles + 1, N, E)."""
    plain = [judge.pictures[i] for i in things]
    kinds = [plain, *(styled(plain, kind, seed=99) for kind in STYLES)]
    return torch.stack([judge.see(pictures) for pictures in kinds])


def prepare() -> None:
    """Write the pictures of the worked example."""
    _, judge, _ = bench()
    FOLDER.mkdir(parents=True, exist_ok=True)
    shown = styled([judge.pictures[number] for number in SHOWN.values()], "neon", seed=3)
    for name, picture in zip(SHOWN, shown, strict=True):
        picture.save(FOLDER / f"{name}.png", optimize=True)


def run(case: int) -> dict[str, Any]:
    """The style's prompt by every method, with the judge's figures."""
    model, judge, _ = bench()
    style, group = STYLES[case % len(STYLES)], case // len(STYLES)
    shown, others = drawn(case)
    seen = model.encode_pictures(styled([judge.pictures[i] for i in shown], style, seed=group))
    content = model.encode_texts(names(shown))
    taken = sorted(set().union(*(words(name) - HOLLOW for name in names(shown))))
    prompts = {}
    for method, (weight, banned) in METHODS.items():
        features = torch.cat([seen, content]) if weight else seen
        weights = [1 / len(seen)] * len(seen) + [-weight / len(content)] * (
            len(features) - len(seen)
        )
        mask = make_mask(
            model.vocabulary, ban=[f"{w}*" for w in taken] if banned else (),
            words=model.source.words,
        )  # fmt: skip
        targets = make_targets(features, weights)
        prompts[method] = learn_prompt(model, targets, plain_template(TOKENS), mask=mask, seed=case)
    texts = {method: result.best.text for method, result in prompts.items()}
    texts[WORD] = EFFECT_WORDS[style][0]
    return {"style": style, "methods": _judged(texts, style, set(taken), others)}


def _judged(
    texts: dict[str, str], style: str, taken: set[str], others: list[int]
) -> dict[str, dict[str, Any]]:
    """The figures of each style prompt on other things. taken: words of the things learned from."""
    _, judge, _ = bench()
    seen = in_all_styles(judge, others)
    right = 1 + STYLES.index(style)
    found = {}
    for method, text in texts.items():
        read = judge.read(apply_style(text, names(others)))  # (things, E)
        scores = torch.einsum("te,kte->kt", read, seen)
        own = set().union(*(words(word) for word in EFFECT_WORDS[style]))
        found[method] = {
            "prompt": text,
            "picked": (scores.argmax(dim=0) == right).float().mean().item(),
            "judge": scores[right].mean().item(),
            "word": float(bool(own & words(text))),
            "content": float(bool(taken & words(text))),
        }
    return found


def table(cases: list[dict[str, Any]]) -> list[str]:
    rows = []
    for method in (*METHODS, WORD):
        found = [case["methods"][method] for case in cases]
        picked = [f["picked"] for f in found]
        word, content = (f"{np.mean([f[key] for f in found]):.0%}" for key in ("word", "content"))
        judged = interval([f["judge"] for f in found])
        rows.append([method, interval([100 * p for p in picked], 0), judged, word, content])
    head = [
        "learned from",
        "picked, %",
        "judge similarity",
        "a word of the style",
        "a word of the things",
    ]
    return markdown(head, rows)
