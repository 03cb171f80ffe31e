"""Style, mixing and the guard by painted pictures: prompts that other benchmarks saved, painted.

    python -m benchmarks.painted.applied [--seeds 2] [--save]

Style (`applied/styling.py`): a style's prompt is applied to twelve things and painted. The judge
picks the nearest of the thing's eight pictures: plain and in seven styles.

Mixing (`applied/mixing.py`): the judge compares a painted picture with both originals.

The guard (`guarding/guard.py`): a concept is *shown* if its name is among the five of 300 that the
judge finds nearest to a painted picture.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from torch import Tensor

from pez_core import Painter, load_painter
from pez_core.applications.style import apply_style
from training.attributes import with_article
from training.painter.evaluate import paint

from ..applied import mixing, styling
from ..applied.shared import interval, names
from ..judge import Judge
from ..measure import machine, markdown, save, saved

Cases = dict[str, list[float]]  # a figure of every case, by method


class Easel:
    """The judge's features of painted pictures."""

    def __init__(self, painter: Painter, judge: Judge, seeds: int) -> None:
        self.painter, self.judge, self.seeds = painter, judge, seeds

    def __call__(self, texts: list[str]) -> Tensor:
        """(seeds, N, E)"""
        pipeline, settings = self.painter.pipeline, self.painter.settings
        painted = [paint(pipeline, settings, texts, seed) for seed in range(self.seeds)]
        return torch.stack([self.judge.see(pictures) for pictures in painted])


def style(easel: Easel) -> list[str]:
    """How often the judge picks the right style, by where the style's prompt comes from."""
    picked, content = Cases(), Cases()
    for number, case in enumerate(saved("applications")["figures"]["style"]):
        things = styling.drawn(number)[1]
        kinds = styling.in_all_styles(easel.judge, things)  # (styles + 1, things, E)
        right = 1 + styling.STYLES.index(case["style"])
        for method, found in case["methods"].items():
            seen = easel(apply_style(found["prompt"], names(things)))
            scores = torch.einsum("ste,kte->skt", seen, kinds)
            share = (scores.argmax(1) == right).float().mean().item()
            picked.setdefault(method, []).append(100 * share)
            content.setdefault(method, []).append(scores[:, right].mean().item())
    rows = [[m, interval(picked[m], 0), interval(content[m])] for m in picked]
    return markdown(["learned from", "picked, %", "similarity to the thing in the style"], rows)


def mixtures(easel: Easel) -> list[str]:
    """How near painted mixtures are to both of their pictures. Differences are from the first
    method of the same length."""
    figures: dict[str, list[tuple[float, ...]]] = {}
    cases = saved("applications")["figures"]["mixing"]
    for method in cases[0]["methods"]:
        seen = easel([case["methods"][method]["prompt"] for case in cases])
        scores = seen @ easel.judge.features.T  # (seeds, cases, 300)
        for number, case in enumerate(scores.unbind(1)):
            own = case[:, mixing.pair_of(number)]  # (seeds, 2)
            ranks = (case[:, None] > own[..., None]).sum(-1) + 1
            both = (ranks <= 5).all(1).float().mean().item()
            worse = own.min(1).values.mean().item()
            figures.setdefault(method, []).append((worse, own.mean().item(), 100 * both))
    bases: dict[str, list[tuple[float, ...]]] = {}
    rows = []
    for method, values in figures.items():
        length = method.rpartition(", ")[2]
        change = np.array(values) - np.array(bases.setdefault(length, values))
        row = [method]
        for k, digits in enumerate((3, 3, 0)):
            row.append(f"{np.mean([v[k] for v in values]):.{digits}f}")
            row.append(interval(change[:, k].tolist(), digits, "+") if change.any() else "")
        rows.append(row)
    head = ["words"]
    for column in ("similarity to the worse", "mean of both", "both in the first 5, %"):
        head += [column, "difference"]
    return markdown(head, rows)


def guarded(easel: Easel) -> list[str]:
    """Whether a concept is painted from prompts that should avoid it."""
    reserved, prompts = easel.judge.reserved, saved("guard")["prompts"]
    rows_of = [reserved.names.index(name) for name in prompts]
    texts = easel.judge.read([with_article(name) for name in reserved.names])
    same = torch.tensor([[a == b for b in reserved.names] for a in prompts])
    rows, free = [], None
    for way in next(iter(prompts.values())):
        seen = easel([ways[way] for ways in prompts.values()])  # (seeds, concepts, E)
        scores = seen @ texts.T
        own = scores[:, range(len(rows_of)), rows_of]
        shown = 100 * (((scores > own[..., None]) & ~same).sum(-1) < 5).float().mean(0)
        near = (seen * easel.judge.features[rows_of]).sum(-1).mean(0)
        free = (shown, near) if free is None else free
        rows.append([
            way, f"{shown.mean():.0f} %", interval((shown - free[0]).tolist(), 0, "+"),
            f"{near.mean():.3f}", interval((near - free[1]).tolist(), 3, "+"),
        ])  # fmt: skip
    head = ["prompt", "concept shown", "difference", "similarity to the original", "difference"]
    return markdown(head, rows)


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--painter", default="demo")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--save", action="store_true", help="write results/painted_applied.json")
    options = parser.parse_args()
    painter = load_painter(options.painter)
    easel, result = Easel(painter, Judge(), options.seeds), {}
    for name, table in (("style", style), ("mixing", mixtures), ("guard", guarded)):
        result[name] = table(easel)
        print(name, *result[name], "", sep="\n", flush=True)
    if options.save:
        about = {"machine": machine(torch.get_num_threads()), "painter": painter.about}
        print(save("painted_applied", {**about, "seeds": options.seeds, "tables": result}))


if __name__ == "__main__":
    main()
