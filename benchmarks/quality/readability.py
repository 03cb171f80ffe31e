"""The cost of readable prompts: a fluency term in refinement, and the learned words in another
order.

    python -m benchmarks.quality.readability [--pictures 100] [--jobs 2] [--save]

It uses the embedded model and pictures of a vendor that it was not trained on. Refinement maximises
similarity + weight · fluency, where fluency is the bigram prior's log P(text) per token in nats.
Weight 0 is the search without a prior. Each prompt is also measured with its words in the prior's
best order, which does not slow the search. A word of the picture's name in the prompt counts as
recall. The judge (`benchmarks/judge.py`) is a second model that the search does not use: the table
shows its similarity, and the share of prompts for which the picture is among its nearest ten of
300. Differences are from weight 0 in the found order, with 95 % intervals over pictures.
"""

from __future__ import annotations

import argparse
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pez_core import TokenMask, learn_prompt, load_model, make_mask, make_targets
from pez_core.clip.models import ClipModel
from pez_core.config import DEFAULT
from pez_core.search.fluency import BigramPrior, read_prior
from pez_core.targets import Targets

from ..judge import Judge
from ..measure import machine, markdown, paired_bootstrap, save
from .ordering import best_order

WEIGHTS = (0.0, 0.003, 0.01, 0.03)
TOKENS = 8
NEAREST = 10


@dataclass(frozen=True)
class Outcome:
    """One prompt and its figures. fluency: nats per token. judge: the judge's similarity. found:
    whether the picture is among the judge's nearest."""

    text: str
    similarity: float
    fluency: float
    recall: bool
    judge: float
    found: bool


@dataclass(frozen=True)
class Bench:
    """Shared by all searches of a process."""

    model: ClipModel
    mask: TokenMask
    prior: BigramPrior
    layout: Tensor
    judge: Judge


@cache
def bench(vocabulary: str) -> Bench:
    """The models and the prior, loaded once in every process."""
    torch.set_num_threads(1)
    model = load_model("demo")
    mask = make_mask(model.vocabulary, vocabulary, words=model.source.words)
    prior = read_prior(model.vocabulary)
    layout = torch.tensor([model.vocabulary.start, *[-1] * TOKENS, model.vocabulary.end])
    return Bench(model, mask, prior, layout, Judge())


def nats_per_token(prior: BigramPrior, ids: Tensor) -> float:
    """log P(text) by the prior, over the text's tokens and its end. ids: (n,)"""
    return prior.log_probability(ids[None]).item() / (len(ids) + 1)


def outcome(own: Bench, ids: Tensor, targets: Targets, index: int) -> Outcome:
    """The figures of a prompt. ids: (n,)"""
    text = own.model.vocabulary.decode(ids.tolist())
    similarity = own.model.score([text], targets).item()
    fluency = nats_per_token(own.prior, ids)
    verdict = own.judge.verdict([text], [index])
    judged, found = float(verdict.similarity[0]), bool(verdict.rank[0] <= NEAREST)
    return Outcome(text, similarity, fluency, bool(verdict.recall[0]), judged, found)


def run_picture(index: int, vocabulary: str, weights: list[float]) -> dict[str, Outcome]:
    """The prompts of one picture: for each weight in the found order and in the best order."""
    own = bench(vocabulary)
    targets = make_targets(own.model.encode_pictures([own.judge.pictures[index]]))
    outcomes = {}
    for weight in weights:
        config = DEFAULT.replace(fluency=weight)
        learned = learn_prompt(own.model, targets, config=config, mask=own.mask, seed=index)
        ids = torch.tensor(learned.best.ids)
        ordered = best_order(own.prior, own.layout, ids)
        outcomes[f"{weight:g}"] = outcome(own, ids, targets, index)
        outcomes[f"{weight:g} ordered"] = outcome(own, ordered, targets, index)
    return outcomes


def summary(runs: list[dict[str, Outcome]]) -> list[str]:
    """A table of means with differences from the first prompt."""
    names = list(runs[0])
    head = ["weight", "similarity", "difference", "nats per token", "recall"]
    head += ["judge", "difference", f"nearest {NEAREST}"]
    rows = []

    def column(name: str, key: str) -> np.ndarray:
        return np.array([asdict(run[name])[key] for run in runs], dtype=float)

    def compared(name: str, key: str) -> list[str]:
        values = column(name, key)
        mean, low, high = paired_bootstrap(values - column(names[0], key))
        return [f"{values.mean():.4f}", f"{mean:+.4f} ({low:+.4f} to {high:+.4f})"]

    for name in names:
        cells = [name, *compared(name, "similarity"), f"{column(name, 'fluency').mean():.2f}"]
        cells.append(f"{column(name, 'recall').mean():.0%}")
        cells += [*compared(name, "judge"), f"{column(name, 'found').mean():.0%}"]
        rows.append(cells)
    return markdown(head, rows)


def main() -> None:
    """Run all pictures and print the tables, and the prompts of the first pictures."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--weights", type=float, nargs="+", default=list(WEIGHTS))
    parser.add_argument("--vocabularies", nargs="+", default=["words", "ascii"])
    parser.add_argument("--save", action="store_true", help="write the tables to results/")
    options = parser.parse_args()
    result: dict[str, Any] = {"machine": machine(1, processes=options.jobs)}
    print(result["machine"], f"{options.pictures} pictures", sep="; ")
    spawn = multiprocessing.get_context("spawn")
    for vocabulary in options.vocabularies:
        task = partial(run_picture, vocabulary=vocabulary, weights=options.weights)
        with ProcessPoolExecutor(options.jobs, mp_context=spawn) as pool:
            runs = list(pool.map(task, range(options.pictures), chunksize=4))
        result[vocabulary] = summary(runs)
        print(f"\nvocabulary {vocabulary}", *result[vocabulary], sep="\n")
        for run in runs[:5]:
            print(*(f"{name:>14}: {found.text}" for name, found in run.items()), sep="\n")
    if options.save:
        print(save("readability", {"pictures": options.pictures, **result}))


if __name__ == "__main__":
    main()
