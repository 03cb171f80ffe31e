"""Variants of the search, each compared with rounds of 40 steps for the same time.

    python -m benchmarks.quality.search_variants [--pictures 60] [--jobs 2] [--seconds 4]

It uses the embedded model and pictures of a vendor that it was not trained on. The variants take
turns on each picture, in processes of one thread each, so other load on the machine affects all of
them. The figures are the similarity of the best text after a quarter of the time and at the end,
and the judge's figures of the last one (`benchmarks/judge.py`). Differences are paired, with 95 %
intervals. Preparation that a variant needs once for each model, such as the features of all words,
is not counted.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import torch

from pez_core import (
    ClipModel,
    LearnedPrompt,
    StepInfo,
    load_model,
    make_mask,
    make_targets,
)
from pez_core.search.projection import TokenTable, token_table
from pez_core.text.template import parse_template

from ..judge import Judge
from ..measure import machine, paired_bootstrap, save
from .variants import VARIANTS, nearest_words, word_features


@cache
def bench() -> tuple[ClipModel, Judge]:
    """The model and the judge, loaded once in every process."""
    torch.set_num_threads(1)
    return load_model("demo"), Judge()


def run_picture(index: int, names: tuple[str, ...], seconds: float) -> dict[str, dict[str, float]]:
    """The figures of every variant on one reserved picture."""
    model, judge = bench()
    feature = model.encode_pictures([judge.pictures[index]])
    mask = make_mask(model.vocabulary, "words", words=model.source.words)
    template = parse_template("{8}", model.vocabulary)
    whole = token_table(model.tower.token_embedding, torch.tensor(mask.ids))
    word_features(tuple(whole.ids.tolist()))  # preparation, not counted
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
            table = TokenTable(whole.ids[rows], whole.embeddings[rows], whole.directions[rows])
        config = variant.config.replace(seconds=seconds)
        problem = variant.problem(model, tower, table, template, mask, config, index, note)
        ((_, result),) = variant.batch(problem).run([make_targets(feature)])
        assert isinstance(result, LearnedPrompt)
        verdict = judge.verdict([result.best.text], [index])
        early = max(score for when, score in found if when <= seconds / 4)
        runs[variant.name] = {
            "early": early, "own": result.best.similarity, "judge": float(verdict.similarity[0]),
            "log rank": math.log(verdict.rank[0]), "recall": float(verdict.recall[0]),
        }  # fmt: skip
    return runs


def summary(runs: list[dict[str, dict[str, float]]]) -> tuple[list[dict[str, Any]], str]:
    """The differences of every variant's figures from those of 40 steps, with intervals."""
    columns = ("early", "own", "judge", "log rank", "recall")
    rows: list[dict[str, Any]] = []
    lines = ["| variant | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name in runs[0]:
        row: dict[str, Any] = {"variant": name}
        cells = []
        for column in columns:
            values = np.array([run[name][column] for run in runs])
            change = values - np.array([run["40 steps"][column] for run in runs])
            mean, low, high = paired_bootstrap(change)
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
    """Run all pictures and print the table."""
    names = tuple(variant.name for variant in VARIANTS)
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--seconds", type=float, default=4.0, help="of every search")
    parser.add_argument("--only", nargs="+", default=list(names), choices=names)
    parser.add_argument("--save", action="store_true", help="write results/search_variants.json")
    options = parser.parse_args()
    about = f"{machine(1, processes=options.jobs)}; {options.seconds} s a search"
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
