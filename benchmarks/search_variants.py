"""Other ways to search, each against rounds of 40 steps for the same seconds.

    python -m benchmarks.search_variants [--pictures 60] [--jobs 2] [--seconds 4] [--only NAME …]

On the embedded model and pictures of a vendor that it was not trained on. The variants take turns
on a picture, in processes of one thread each, so whatever else the machine does meets all of them.
What counts is the best text's similarity so far, at a quarter of the time and at its end, and what
the judge says of the last one (`benchmarks/judge.py`). Differences are paired, with 95 % intervals.
What a variant needs once for a model, such as the features of all words, is not counted.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pez_core import (
    ClipModel,
    LearnedPrompt,
    SearchConfig,
    StepInfo,
    load_model,
    make_mask,
    make_targets,
)
from pez_core.board import Lineage
from pez_core.group import Group
from pez_core.objective import aim
from pez_core.optimizers import Pez
from pez_core.projection import TokenTable, token_table
from pez_core.refine import LEAST_GAIN, Refine
from pez_core.run import Search, Setting
from pez_core.slots import Slots
from pez_core.template import parse_template

from .judge import Judge
from .measure import machine, paired_bootstrap, save

ENDLESS = SearchConfig(steps=40, rounds=10_000, patience=None)  # the time ends it


class Falling(Group):
    """The learning rate falls along half a cosine, to a tenth in the last step of a round."""

    def _pez(self, searches: list[Search]) -> Pez:
        lr, steps = self._config.lr, self._config.steps

        class Scheduled(Pez):
            def step(self) -> None:
                done = self._at.item() / steps
                self._optimizer._lr = lr * (0.55 + 0.45 * math.cos(math.pi * done))
                super().step()

        return Scheduled(
            self._tower, self._table, self._layout, [s.targets for s in searches], self._config,
            [s.generator for s in searches],
        )  # fmt: skip


class Halving(Group):
    """Successive halving: the worse half of the restarts ends every quarter of the steps."""

    def _move(self) -> None:
        (search,) = self._running
        pez = self._pez([search])
        scores = pez.best_scores.clone()
        alive = torch.arange(len(scores))
        for step in range(1, self._config.steps + 1):
            pez.step()
            scores[alive] = pez.best_scores
            if step % (self._config.steps // 4) == 0 and len(alive) > 1:
                rows = torch.zeros(len(scores), pez.best_rows.shape[1], dtype=torch.long)
                rows[alive] = pez.best_rows
                kept = pez.best_scores.topk(len(alive) // 2).indices
                search.look([s if i in alive else -math.inf for i, s in enumerate(scores)], rows)
                alive = alive[kept]
                keep(pez, kept)
            search.report("pez")
            if search.stopped:
                return


def keep(pez: Pez, kept: Tensor) -> None:
    """Goes on with some prompts only."""
    optimizer = pez._optimizer
    pez._embeddings = optimizer._value = optimizer._value[kept]
    optimizer._mean, optimizer._square = optimizer._mean[kept], optimizer._square[kept]
    pez._aims, pez._restarts = pez._aims[kept], len(kept)
    pez.best_scores, pez.best_rows = pez.best_scores[kept], pez.best_rows[kept]


class Seeded(Group):
    """Starts from the 64 words whose own features are nearest to the target."""

    def _pez(self, searches: list[Search]) -> Pez:
        pez, (search,) = super()._pez(searches), searches
        near = nearest_words(self._table, aim(search.targets), 64)
        start = near[torch.randint(len(near), pez.best_rows.shape, generator=search.generator)]
        pez._embeddings.copy_(self._table.rows[start])
        return pez


class Kicked(Group):
    """After the first round: three places of the best prompt drawn anew, and refined again."""

    def _move(self) -> None:
        (search,) = self._running
        if search.round == 0:
            return super()._move()
        best = max(search.board._lineages.values(), key=lambda lineage: lineage.score)
        rows = best.rows.repeat(self._config.restarts, 1)
        for row in rows:
            places = torch.randperm(len(row), generator=search.generator)[:3]
            row[places] = torch.randint(len(self._table.ids), (3,), generator=search.generator)
        slots = Slots(self._tower, self._layout)
        with torch.no_grad():
            scores = slots.features(self._table.rows[rows]) @ aim(search.targets)
        search.look(scores.tolist(), rows)


class Beamed(Group):
    """Refines the best prompts of a round as one beam: the best swaps of all of them go on."""

    def _refinement(self, lineages: list[tuple[Search, Lineage]]) -> Refine:
        search = lineages[0][0]

        class Beam(Refine):
            def step(self) -> None:
                live = list(range(len(self.rows)))
                gains = self._gains(live)
                tried = [self._trials(prompt, g) for prompt, g in zip(live, gains, strict=True)]
                pool = torch.cat([*tried, torch.stack(self.rows)])
                owners = torch.zeros(len(pool) - len(live), dtype=torch.long)
                best = max(self.scores)
                scores = torch.cat(
                    [self._score(torch.cat(tried), owners), torch.tensor(self.scores)]
                )
                places: dict[tuple[int, ...], int] = {}
                for place in scores.argsort(descending=True).tolist():
                    places.setdefault(tuple(pool[place].tolist()), place)
                    if len(places) == len(live):
                        break
                self.rows = [pool[place] for place in places.values()]
                self.scores = [scores[place].item() for place in places.values()]
                self.done = [self.scores[0] <= best + LEAST_GAIN] * len(live)

        return Beam(
            self._tower, self._table, self._layout, torch.stack([aim(search.targets)]).expand(
                len(lineages), -1
            ), torch.stack([lineage.rows for _, lineage in lineages]), swaps=self._config.swaps,
        )  # fmt: skip


class Shrinking(Group):
    """Each place tries 32 tokens in refinement, and keeps the better half of them for the next
    step, until none helps and the gradient is asked again."""

    def _refinement(self, lineages: list[tuple[Search, Lineage]]) -> Refine:
        kept: dict[int, Tensor] = {}

        class Halved(Refine):
            def _trials(self, prompt: int, gains: Tensor) -> Tensor:
                if prompt not in kept:
                    kept[prompt] = gains.topk(
                        min(self._swaps[prompt], len(self._table.ids) - 1)
                    ).indices
                tokens = kept[prompt]
                trials = self.rows[prompt].repeat(*tokens.shape, 1)
                position = torch.arange(len(tokens))
                trials[position, :, position] = tokens
                return trials.flatten(0, 1)

            def _take_best(self, prompt: int, trials: Tensor, scores: Tensor) -> None:
                tokens, before = kept.pop(prompt), self.scores[prompt]
                swaps = self._swaps[prompt]
                fresh = tokens.shape[1] >= swaps
                super()._take_best(prompt, trials, scores)
                if self.scores[prompt] > before + LEAST_GAIN and tokens.shape[1] > 4:
                    half = scores.view(tokens.shape).topk(tokens.shape[1] // 2).indices
                    kept[prompt] = tokens.gather(1, half)
                elif not fresh:  # the gradient has not said yet that nothing helps
                    self._swaps[prompt], self.done[prompt] = self._first_swaps, False

        (search,) = {search for search, _ in lineages}
        return Halved(
            self._tower, self._table, self._layout, torch.stack([aim(search.targets)]).expand(
                len(lineages), -1
            ), torch.stack([lineage.rows for _, lineage in lineages]), swaps=self._config.swaps,
        )  # fmt: skip


@dataclass(frozen=True)
class Variant:
    """One way to search. nearest: only so many tokens, those whose own features are nearest to the
    target; 0 is all."""

    name: str
    config: SearchConfig = ENDLESS
    group: Callable[..., Group] = Group
    nearest: int = 0


VARIANTS = (
    Variant("40 steps"),
    Variant("lr 0.03", ENDLESS.replace(lr=0.03)),
    Variant("lr 0.3", ENDLESS.replace(lr=0.3)),
    Variant("lr falls from 0.3", ENDLESS.replace(lr=0.3), Falling),
    Variant("halving of 16", ENDLESS.replace(restarts=16), Halving),
    Variant("start from the nearest 64 words", group=Seeded),
    Variant("only the nearest 1000 words", nearest=1000),
    Variant("only the nearest 4000 words", nearest=4000),
    Variant("32 swaps, shrinking", ENDLESS.replace(swaps=32), Shrinking),
    Variant("8 swaps", ENDLESS.replace(swaps=8)),
    Variant("beam of 3", ENDLESS.replace(refine=3), Beamed),
    Variant("3 refined apart", ENDLESS.replace(refine=3)),
    Variant("10 steps", ENDLESS.replace(steps=10)),
    Variant("10 steps of 16", ENDLESS.replace(steps=10, restarts=16)),
    Variant("kicks after the first round", group=Kicked),
)


@cache
def word_features(ids: tuple[int, ...]) -> Tensor:
    """The features of single tokens as prompts, (A, E)."""
    model, _ = bench()
    rows = model.tower.token_embedding[list(ids)]
    slots = Slots(model.tower, torch.tensor(parse_template("{1}", model.vocabulary).layout))
    with torch.no_grad():
        return torch.cat([slots.features(part[:, None]) for part in rows.split(512)])


def nearest_words(table: TokenTable, target: Tensor, count: int) -> Tensor:
    """The rows of the tokens that say most of a target alone. target: (E,) → (count,)"""
    features = word_features(tuple(table.ids.tolist()))
    return (features @ target).topk(min(count, len(features))).indices


@cache
def bench() -> tuple[ClipModel, Judge]:
    """Loaded once in every process."""
    torch.set_num_threads(1)
    return load_model("demo"), Judge()


def run_picture(index: int, names: tuple[str, ...], seconds: float) -> dict[str, dict[str, float]]:
    """The figures of every variant on one reserved picture."""
    model, judge = bench()
    feature = model.encode_pictures([judge.pictures[index]])
    mask = make_mask(model.vocabulary, "words", words=model.source.words)
    template = parse_template("{8}", model.vocabulary)
    whole = token_table(model.tower.token_embedding, torch.tensor(mask.ids))
    word_features(tuple(whole.ids.tolist()))  # the once that is not counted
    tower = model.tower.for_search()
    runs = {}
    for variant in VARIANTS:
        if variant.name not in names:
            continue
        found: list[tuple[float, float]] = [(0.0, 0.0)]

        def note(info: StepInfo, found: list[tuple[float, float]] = found) -> None:
            if info.best:
                found.append((info.seconds, info.best.similarity))

        table = whole
        if variant.nearest:
            rows = nearest_words(whole, feature[0], variant.nearest)
            table = TokenTable(whole.ids[rows], whole.rows[rows], whole.directions[rows])
        config = variant.config.replace(seconds=seconds)
        setting = Setting(model, template, config, mask, table, index, note, None, {})
        ((_, result),) = variant.group(setting, tower).run([make_targets(feature)], 1)
        assert isinstance(result, LearnedPrompt)
        said = judge.verdict([result.best.text], [index])
        early = max(score for when, score in found if when <= seconds / 4)
        runs[variant.name] = {
            "early": early, "own": result.best.similarity, "judge": float(said.similarity[0]),
            "log rank": math.log(said.rank[0]), "recall": float(said.recall[0]),
        }  # fmt: skip
    return runs


def summary(runs: list[dict[str, dict[str, float]]]) -> tuple[list[dict[str, Any]], str]:
    """Every variant's figures less those of 40 steps, with intervals."""
    columns = ("early", "own", "judge", "log rank", "recall")
    rows: list[dict[str, Any]] = []
    lines = ["| variant | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name in runs[0]:
        row: dict[str, Any] = {"variant": name}
        cells = []
        for column in columns:
            values = np.array([run[name][column] for run in runs])
            less = values - np.array([run["40 steps"][column] for run in runs])
            mean, low, high = paired_bootstrap(less)
            row[column] = float(values.mean())
            row[f"{column} less 40 steps"] = (mean, low, high)
            plain = f"{values.mean():.4f}"
            cells.append(
                plain if name == "40 steps" else f"{mean:+.4f} ({low:+.4f} to {high:+.4f})"
            )
        rows.append(row)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return rows, "\n".join(lines)


def main() -> None:
    """Runs all pictures and prints the table."""
    names = tuple(variant.name for variant in VARIANTS)
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--seconds", type=float, default=4.0, help="of every search")
    parser.add_argument("--only", nargs="+", default=list(names), choices=names)
    parser.add_argument("--save", action="store_true", help="write results/search_variants.json")
    options = parser.parse_args()
    about = f"{options.jobs} processes, each with {machine(1)}; {options.seconds} s a search"
    print(about)
    wanted = ("40 steps", *options.only)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=spawn) as pool:
        waiting = [
            pool.submit(run_picture, i, wanted, options.seconds) for i in range(options.pictures)
        ]
        runs = [future.result() for future in waiting]
    rows, text = summary(runs)
    print(text)
    if options.save:
        save("search_variants", {"machine": about, "pictures": options.pictures, "rows": rows})


if __name__ == "__main__":
    main()
