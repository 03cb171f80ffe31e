"""Whether a meaning can be kept away: by banning its word, and by a guard in feature space.

    python -m benchmarks.guard [--pictures 60] [--jobs 2] [--save]

On the embedded model and reserved pictures whose name is one word that it knows; the name is the
concept. Two tables.

Searches: what is learned of the picture freely, with the word banned (`word*`), with a guard, and
with both. Each prompt's cosine with the concept is told by the embedded model, which the guard
went by, and by the judge (`benchmarks/judge.py`), which has a guard of its own, with thresholds of
its own, and took no part. "near" is the share of prompts over the threshold.

Checks: how often a guard calls texts near. Wrongly: neutral prompts that took no part in it,
captions of the other pictures, and what is freely learned of them. Rightly: captions of the concept
in six forms, and the picture's tags without the word. A column for each shrinkage of the neutral
space (`pez_core.neutral`), of which 0.3 is the guard's, and one for the plain cosine.

Intervals are of 95 %, over pictures; differences are to the free search.
"""

from __future__ import annotations

import argparse
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from PIL import Image

from pez_core import Guard, learn_prompt, load_model, make_guard, make_mask, make_targets
from pez_core.models import ClipModel
from training.reserved_set import ReservedSet, load_reserved

from .guard_checks import checked, checks, interval
from .judge import FOLDER, RESERVED
from .measure import machine, save

STRICT = 0.05  # another rate of false alarms


@dataclass(frozen=True)
class Outcome:
    """One prompt. similarity, judged: to the picture, by the model and by the judge. word: whether
    the concept's word stands in it. own, judge: its cosine with the concept over the threshold."""

    text: str
    similarity: float
    judged: float
    word: bool
    own: float
    judge: float


@dataclass(frozen=True)
class Bench:
    """What all searches of a process share; the guards are of all concepts, the pictures' names."""

    model: ClipModel
    judge: ClipModel
    reserved: ReservedSet
    chosen: list[int]  # pictures
    guards: dict[str, Guard]  # "model", "strict" and "judge"


@cache
def bench(count: int) -> Bench:
    """Loaded once in every process. count: of the first reserved pictures whose name is one word
    that the model knows."""
    torch.set_num_threads(1)
    model, judge, reserved = load_model("demo"), load_model(str(FOLDER)), load_reserved(RESERVED)
    words = model.source.words or frozenset()
    chosen = [i for i, name in enumerate(reserved.names) if name in words][:count]
    names = [reserved.names[i] for i in chosen]
    guards = {
        "model": make_guard(model, names),
        "strict": make_guard(model, names, false_alarms=STRICT),
        "judge": make_guard(judge, names),
    }
    return Bench(model, judge, reserved, chosen, guards)


def only(guard: Guard, name: str) -> Guard:
    """The guard of one of its concepts."""
    place = [guard.names.index(name)]
    directions, thresholds = guard.directions[place], guard.thresholds[place]
    return replace(guard, names=(name,), directions=directions, thresholds=thresholds)


def searches(index: int, count: int) -> dict[str, Outcome]:
    """The prompts of one picture, each way."""
    own = bench(count)
    model, judge, name = own.model, own.judge, own.reserved.names[index]
    picture = Image.fromarray(own.reserved.images[index])
    targets = make_targets(model.encode_pictures([picture]))
    seen = judge.encode_pictures([picture])
    guards = {kind: only(guard, name) for kind, guard in own.guards.items()}
    free = make_mask(model.vocabulary, words=model.source.words)
    banned = make_mask(model.vocabulary, words=model.source.words, ban=[f"{name}*"])
    ways = {
        "free": (free, None),
        "word banned": (banned, None),
        "guard": (free, guards["model"]),
        "guard, word banned": (banned, guards["model"]),
        f"guard at {STRICT:.0%}, word banned": (banned, guards["strict"]),
    }
    found = {}
    for way, (mask, guard) in ways.items():
        best = learn_prompt(model, targets, mask=mask, guard=guard, seed=index).best
        judged = (judge.encode_texts([best.text]) @ seen.T).item()
        over = [
            guards[who].check(clip, [best.text])[0][name]
            for who, clip in (("model", model), ("judge", judge))
        ]
        word = any(w.startswith(name) for w in best.text.split())
        beyond = [one.similarity - one.threshold for one in over]
        found[way] = Outcome(best.text, best.similarity, judged, word, *beyond)
    return found


def searched(runs: list[dict[str, Outcome]]) -> list[str]:
    """The table of the searches."""
    head = ["search", "similarity", "difference", "judge", "difference", "says the word"]
    head += ["near", "cosine less threshold", "near by the judge", "cosine less threshold"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]

    def column(way: str, key: str) -> np.ndarray:
        return np.array([asdict(run[way])[key] for run in runs], dtype=float)

    for way in runs[0]:
        cells = [way]
        for key in ("similarity", "judged"):
            values = column(way, key)
            cells += [f"{values.mean():.4f}", interval(values - column("free", key), "+.4f")]
        cells.append(f"{column(way, 'word').mean():.0%}")
        for key in ("own", "judge"):
            values = column(way, key)
            cells += [interval(values > 0, ".0%"), interval(values, "+.3f")]
        lines.append("| " + " | ".join(cells) + " |")
    lines.append("")
    for way in ("guard", "guard, word banned"):
        less = (column(way, "judge") > 0) - 1.0 * (column("word banned", "judge") > 0)
        lines.append(f"near by the judge, {way} less word banned: {interval(less, '+.0%')}")
    return lines


def main() -> None:
    """Runs all searches and checks, and prints the tables and the prompts of some pictures."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--save", action="store_true", help="write the tables to results/")
    options = parser.parse_args()
    own = bench(options.pictures)
    result: dict[str, Any] = {"machine": f"{options.jobs} processes, each with {machine(1)}"}
    print(result["machine"], f"{len(own.chosen)} pictures", sep="; ")
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=spawn) as pool:
        task = partial(searches, count=options.pictures)
        runs = list(pool.map(task, own.chosen, chunksize=4))
    result["searches"] = searched(runs)
    rates = checks(
        {"model": own.model, "judge": own.judge}, own.reserved, own.chosen,
        [run["free"].text for run in runs],
    )  # fmt: skip
    result["checks"] = checked(rates)
    print(*result["searches"], "", *result["checks"], "", sep="\n")
    result["prompts"] = {
        own.reserved.names[index]: {way: found.text for way, found in run.items()}
        for index, run in zip(own.chosen, runs, strict=True)
    }
    for name, prompts in list(result["prompts"].items())[:6]:
        print(name, *(f"{way:>30}: {text}" for way, text in prompts.items()), sep="\n")
    if options.save:
        print(save("guard", {"pictures": len(own.chosen), **result}))


if __name__ == "__main__":
    main()
