"""What makes prompts transfer: changes of the search, each measured by a CLIP that it does not use.

    python -m benchmarks.quality.transfer [--pictures 100] [--jobs 2] [--only NAME …] [--save]

With `--only`, the other levers keep the prompts of the last `--save`.

Every lever changes one thing of `plain`, which is one round of 40 steps. Only quality is compared,
not time: the searches of a lever share their passes, and a column shows its cost in text forwards.
The other columns are the similarity on the searched CLIP, the judge similarity, the rank of the
picture among the 300 reserved ones, and whether the prompt contains a word of its name.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from torch import Tensor
from torch.nn import functional as F

from pez_core import (
    PRESETS,
    ClipModel,
    LearnedPrompt,
    SearchConfig,
    TokenMask,
    load_model,
    make_mask,
    make_targets,
)
from pez_core.clip.text_tower import TextTower
from pez_core.search.projection import token_table
from pez_core.search.searcher import Searcher
from pez_core.text.template import parse_template
from training.reserved_set import load_reserved

from ..judge import RESERVED, Judge
from ..measure import machine, paired_bootstrap, save, saved

ONE_ROUND = SearchConfig(steps=40, rounds=1, patience=None)
CONCURRENCY = 25


class Several(TextTower):
    """The average of several readings of a prompt: the error of a single reading counts less."""

    def features(self, embeddings: Tensor) -> Tensor:
        readings = [read(embeddings) for read in self.readings]  # type: ignore[attr-defined]
        return F.normalize(torch.stack(readings).mean(dim=0), dim=-1)


def several(tower: TextTower, readings: Sequence[Callable[[Tensor], Tensor]]) -> TextTower:
    result = Several(**{f: getattr(tower, f) for f in TextTower.__dataclass_fields__})
    object.__setattr__(result, "readings", list(readings))
    return result


def both_ways(tower: TextTower) -> TextTower:
    """A tower that reads the words in their order and in reverse order."""

    def backwards(embeddings: Tensor) -> Tensor:
        middle = embeddings[:, 1:-1].flip(1)
        return tower.features(torch.cat([embeddings[:, :1], middle, embeddings[:, -1:]], dim=1))

    return several(tower, [tower.features, backwards])


def shaken(tower: TextTower, share: float, count: int = 3) -> TextTower:
    """A tower together with copies that have noise on every weight matrix, `share` of its standard
    deviation."""
    generator = torch.Generator().manual_seed(0)

    def shake(tensor: Tensor) -> Tensor:
        if tensor.ndim < 2 or len(tensor) == tower.token_embedding.shape[0]:
            return tensor
        noise = torch.randn(tensor.shape, generator=generator) * tensor.std()
        return tensor + share * noise

    return several(tower, [tower.features, *(tower.map(shake).features for _ in range(count))])


def view(picture: Image.Image, rng: random.Random) -> Image.Image:
    """The picture, changed like another photograph of the same drawing."""
    size = picture.width
    if rng.random() < 0.5:
        picture = ImageOps.mirror(picture)
    edge = int(size * rng.uniform(0.75, 1.0))
    paper = Image.new("RGB", (size, size), "white")
    place = (rng.randint(0, size - edge), rng.randint(0, size - edge))
    paper.paste(picture.resize((edge, edge), Image.Resampling.BICUBIC), place)
    paper = paper.rotate(rng.uniform(-10, 10), Image.Resampling.BICUBIC, fillcolor="white")
    paper = ImageEnhance.Color(paper).enhance(rng.uniform(0.7, 1.3))
    paper = ImageEnhance.Brightness(paper).enhance(rng.uniform(0.85, 1.15))
    blur = ImageFilter.GaussianBlur(rng.uniform(0.3, 1.0))
    return paper.filter(blur) if rng.random() < 0.3 else paper


@dataclass(frozen=True)
class Lever:
    """One change of `plain`. cost: text forwards as a multiple of `plain`'s."""

    name: str
    config: SearchConfig = ONE_ROUND
    template: str = "{8}"
    vocabulary: str = "ascii"
    views: int = 0  # additional views of each picture
    noise: float = 0.0  # on the target feature, as a share of its length
    tower: Callable[[TextTower], TextTower] = lambda tower: tower
    commonest: bool = False  # the 8 commonest words of all candidates instead of the best one
    frequent: int = 0  # only that many tokens, those that BPE merged first
    cost: float = 1.0


BRIEF = ONE_ROUND.replace(refine=0, steps=20)
PEZ = ONE_ROUND.replace(refine=0, steps=100)
LEVERS = (
    Lever("plain"),
    Lever("the paper's setting", PRESETS["paper"], cost=6),
    Lever("no refinement, 100 steps", PEZ, cost=0.8),
    Lever("no refinement, 20 steps", BRIEF, cost=0.2),
    Lever("4 rounds", ONE_ROUND.replace(rounds=4), cost=4),
    Lever("whole words", vocabulary="words"),
    Lever("the 10000 commonest tokens", frequent=10_000),
    Lever("4 tokens", template="{4}", cost=0.3),
    Lever("16 tokens", template="{16}", cost=3),
    Lever("a frame of words", template="a picture of {8}"),
    Lever("16 views", views=16),
    Lever("noise on the target", noise=0.5),
    Lever("read both ways", tower=both_ways, cost=2),
    Lever("3 shaken towers beside", tower=lambda tower: shaken(tower, 0.1), cost=4),
    Lever("3 towers shaken more", tower=lambda tower: shaken(tower, 0.25), cost=4),
    Lever("vote of 24 restarts", PEZ.replace(restarts=24, candidates=24), commonest=True, cost=2),
    Lever("fluency 0.003", ONE_ROUND.replace(fluency=0.003)),
    Lever("fluency 0.01", ONE_ROUND.replace(fluency=0.01)),
    Lever("views, words", vocabulary="words", views=16),
    Lever(
        "views, words, 4 rounds", ONE_ROUND.replace(rounds=4), vocabulary="words", views=16, cost=4
    ),
    Lever("views, words, 20 steps", BRIEF, vocabulary="words", views=16, cost=0.2),
    Lever("words, 10 steps", PRESETS["default"], vocabulary="words", cost=0.8),
    Lever(
        "views, words, 4 rounds of 10 steps",
        PRESETS["default"].replace(rounds=4, patience=2),
        vocabulary="words",
        views=16,
        cost=3,
    ),
    Lever("views, words, fluency", ONE_ROUND.replace(fluency=0.003), vocabulary="words", views=16),
)  # fmt: skip

NAMES = [lever.name for lever in LEVERS]


def targets_of(lever: Lever, model: ClipModel, pictures: Sequence[Image.Image]) -> list[Tensor]:
    """The target feature of each picture, (1, E)."""
    features = []
    for number, picture in enumerate(pictures):
        rng = random.Random(number)
        shown = [picture, *(view(picture, rng) for _ in range(lever.views))]
        feature = F.normalize(model.encode_pictures(shown).mean(dim=0, keepdim=True), dim=-1)
        generator = torch.Generator().manual_seed(number)
        noise = torch.randn(feature.shape, generator=generator)
        features.append(feature + lever.noise * F.normalize(noise, dim=-1))
    return features


def mask_of(lever: Lever, model: ClipModel) -> TokenMask:
    mask = make_mask(model.vocabulary, lever.vocabulary, words=model.source.words)
    if not lever.frequent:
        return mask
    # Byte pairs are numbered in the order in which they were merged, the most frequent first.
    known = model.tower.token_embedding.abs().sum(dim=1) > 0
    ids = [i for i in mask.ids if known[i] and i < lever.frequent]
    return replace(mask, ids=tuple(ids))


def best_text(lever: Lever, result: LearnedPrompt) -> str:
    if not lever.commonest:
        return result.best.text
    counts = Counter(word for c in result.candidates for word in set(c.text.split()))
    return " ".join(word for word, _ in counts.most_common(8))


def learn(lever_number: int, first: int, last: int) -> list[str]:
    """The prompts of some reserved pictures with one lever."""
    torch.set_num_threads(1)
    lever, model = LEVERS[lever_number], load_model("demo")
    pictures = [Image.fromarray(image) for image in load_reserved(RESERVED).images[first:last]]
    mask = mask_of(lever, model)
    template = parse_template(lever.template, model.vocabulary)
    table = token_table(model.tower.token_embedding, torch.tensor(mask.ids))
    tower = lever.tower(model.tower)
    problem = Searcher(model, tower, table, template, mask, lever.config, seed=first)
    goals = [make_targets(feature) for feature in targets_of(lever, model, pictures)]
    results: dict[int, Any] = dict(problem.learn_many(goals, CONCURRENCY))
    return [best_text(lever, results[number]) for number in range(len(goals))]


def table(
    prompts: dict[str, list[str]], judge: Judge, model: ClipModel
) -> tuple[list[dict[str, Any]], str]:
    """Every lever's figures, and the differences of the judge's figures from `plain`, with
    intervals."""
    count = len(prompts["plain"])
    features = model.encode_pictures(judge.pictures[:count])
    costs = {lever.name: lever.cost for lever in LEVERS}
    lines = [
        "| lever | cost | own | judge | difference from plain (95 %) | log rank (95 %) | median "
        "| recall |",
        "|---|---|---|---|---|---|---|---|",
    ]
    rows: list[dict[str, Any]] = []
    base = judge.verdict(prompts["plain"], list(range(count)))
    for name, texts in prompts.items():
        verdict = judge.verdict(texts, list(range(count)))
        own = (model.encode_texts(texts) * features).sum(dim=1).mean().item()
        more = paired_bootstrap(verdict.similarity - base.similarity)
        rank = paired_bootstrap(np.log(verdict.rank) - np.log(base.rank))
        rows.append(
            {
                "lever": name, "cost": costs.get(name, 0), "own": own,
                "judge": float(verdict.similarity.mean()), "judge less plain": more,
                "log rank": float(np.log(verdict.rank).mean()), "log rank less plain": rank,
                "median rank": float(np.median(verdict.rank)),
                "first": float((verdict.rank == 1).mean()), "recall": float(verdict.recall.mean()),
            }
        )  # fmt: skip
        row = rows[-1]
        lines.append(
            f"| {name} | {row['cost']:g} | {own:.4f} | {row['judge']:.4f} "
            f"| {more[0]:+.4f} ({more[1]:+.4f} to {more[2]:+.4f}) "
            f"| {rank[0]:+.2f} ({rank[1]:+.2f} to {rank[2]:+.2f}) "
            f"| {row['median rank']:g} | {row['recall']:.0%} |"
        )
    return rows, "\n".join(lines)


def saved_prompts(pictures: int) -> dict[str, list[str]]:
    """The prompts of the last `--save`, if it had the same number of pictures."""
    known = saved("transfer")
    return dict(known["prompts"]) if known.get("pictures") == pictures else {}


def main() -> None:
    """Run every lever and print the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="+", default=NAMES)
    parser.add_argument("--save", action="store_true", help="write the figures to results/")
    options = parser.parse_args()
    print(machine(options.jobs))
    judge, model = Judge(), load_model("demo")
    about = {"machine": machine(options.jobs), "pictures": options.pictures}
    prompts = saved_prompts(options.pictures) if set(options.only) < set(NAMES) else {}
    prompts["the true name"] = list(judge.reserved.names[: options.pictures])
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=spawn) as pool:
        waiting = {}
        for number, lever in enumerate(LEVERS):
            if lever.name in (*options.only, *({"plain"} - set(prompts))):
                waiting[lever.name] = [
                    pool.submit(learn, number, first, min(first + CONCURRENCY, options.pictures))
                    for first in range(0, options.pictures, CONCURRENCY)
                ]
        for name, parts in waiting.items():
            prompts[name] = [text for part in parts for text in part.result()]
            rows, text = table(prompts, judge, model)
            print(name, len(prompts), flush=True)
            if options.save:  # after each lever, because all of them take half an hour
                save("transfer", {**about, "rows": rows, "prompts": prompts})
    print(text)


if __name__ == "__main__":
    main()
