"""Whether prompts can avoid a concept: by banning its words, and by a guard in feature space.

    python -m benchmarks.guarding.guard [--pictures 71] [--jobs 2] [--save]

It uses the embedded model and reserved pictures whose name is one word that the model knows; the
name is the concept. No name is among the words that the guard's shrinkage was chosen on. There are
two tables.

Searches: a prompt of the picture is learned freely, with only the concept's words banned, with a
guard that does not remove them, and with the complete guard, at a rate of false alarms of 1 % and
of 5 %. Each prompt's cosine with the concept is measured by the embedded model, which the guard
uses, and by the judge (`benchmarks/judge.py`), which has its own guard and thresholds and was not
used in the search. "near" is the share of prompts above the threshold.

A guarded prompt may be clear only because it is less specific in general. So the prompts without a
guard are also weakened until their similarity to the picture is that of the guarded prompt, by the
model or by the judge (`benchmarks/guarding/weakened.py`).

Checks: see `benchmarks/guarding/guard_checks.py`.

Intervals are 95 %, over pictures. Differences are from the free search.
"""

from __future__ import annotations

import argparse
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from itertools import product
from typing import Any

import numpy as np
import torch
from PIL import Image

from pez_core import Guard, learn_prompt, load_model, make_guard, make_mask, make_targets
from pez_core.clip.models import ClipModel
from training.reserved_set import ReservedSet, load_reserved

from ..judge import FOLDER, RESERVED
from ..measure import machine, markdown, save
from .guard_checks import alarms, checked, checks, interval
from .weakened import weakened

FREE, BANNED, GUARD = "free", "words banned", "guard"
STRICT = 0.05  # another rate of false alarms
DRAWS = 5  # ways to weaken a prompt
# The words that the neutral space's shrinkage was chosen on. No concept here is one of them.
CHOSEN_ON = frozenset({
    "pizza", "umbrella", "dog", "rose", "octopus", "mushroom", "bus", "church", "frog", "trumpet",
    "lemon", "castle", "laptop", "ambulance", "grapes", "balloon", "telescope", "skull", "tractor",
    "doughnut", "dolphin", "hammer", "cactus", "strawberry", "snail", "lipstick", "horse", "tomato",
    "baby", "fish",
})  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """The figures of one prompt, or their mean over several. similarity, judged: to the picture, by
    the model and by the judge. says: whether it contains a word of the concept. own, judge: its
    cosine with the concept minus the threshold. near, judge_near: whether that is above 0."""

    similarity: float
    judged: float
    says: float
    own: float
    near: float
    judge: float
    judge_near: float


@dataclass(frozen=True)
class Bench:
    """Shared by all searches of a process. The guards are of all concepts, the pictures' names."""

    model: ClipModel
    judge: ClipModel
    reserved: ReservedSet
    chosen: list[int]  # pictures
    guards: dict[str, Guard]  # "model", "strict" and "judge"


@cache
def bench(count: int) -> Bench:
    """The models, pictures and guards, loaded once in every process. count: the number of
    pictures."""
    torch.set_num_threads(1)
    model, judge, reserved = load_model("demo"), load_model(str(FOLDER)), load_reserved(RESERVED)
    words = (model.source.words or frozenset()) - CHOSEN_ON
    chosen = [i for i, name in enumerate(reserved.names) if name in words][:count]
    names = [reserved.names[i] for i in chosen]
    guards = {
        "model": make_guard(model, names),
        "strict": make_guard(model, names, false_alarms=STRICT),
        "judge": make_guard(judge, names),
    }
    return Bench(model, judge, reserved, chosen, guards)


def only(guard: Guard, name: str) -> Guard:
    """The guard restricted to one of its concepts."""
    index = [guard.names.index(name)]
    directions, thresholds = guard.directions[index], guard.thresholds[index]
    words = {name: guard.words[name]}
    return replace(guard, names=(name,), directions=directions, thresholds=thresholds, words=words)


def searches(index: int, count: int) -> dict[str, tuple[str, Outcome]]:
    """The prompts of one picture by every method, with their figures."""
    own = bench(count)
    model, judge, name = own.model, own.judge, own.reserved.names[index]
    picture = Image.fromarray(own.reserved.images[index])
    targets = make_targets(model.encode_pictures([picture]))
    seen = judge.encode_pictures([picture])
    guards = {kind: only(guard, name) for kind, guard in own.guards.items()}
    free = make_mask(model.vocabulary, words=model.source.words)
    banned = free.less(model.vocabulary, guards["model"].ban)
    ways = {
        FREE: (free, None),
        BANNED: (banned, None),
        "guard, words left in": (free, replace(guards["model"], words={})),
        GUARD: (free, guards["model"]),
        f"guard at {STRICT:.0%}": (free, guards["strict"]),
    }
    texts = {
        way: learn_prompt(model, targets, mask=mask, guard=guard, seed=index).best.text
        for way, (mask, guard) in ways.items()
    }
    by = {
        "model": lambda some: (model.encode_texts(some) @ targets.features.T)[:, 0],
        "judge": lambda some: (judge.encode_texts(some) @ seen.T)[:, 0],
    }

    def outcome(some: list[str]) -> Outcome:
        mine, other = (
            guards[who].cosines(clip.encode_texts(some))[:, 0] - guards[who].thresholds
            for who, clip in (("model", model), ("judge", judge))
        )
        figures = (by["model"](some), by["judge"](some), torch.tensor(
            [bool(guards["model"].says(text)) for text in some]
        ), mine, mine > 0, other, other > 0)  # fmt: skip
        return Outcome(*(values.double().mean().item() for values in figures))

    found = {way: (text, outcome([text])) for way, text in texts.items()}
    for (way, mask), (who, similarity) in product(((FREE, free), (BANNED, banned)), by.items()):
        limit = similarity([texts[GUARD]]).item()
        words = [model.vocabulary.decode([i]) for i in mask.ids]
        weak = [weakened(texts[way], similarity, limit, words, seed) for seed in range(DRAWS)]
        found[f"{way}, as weak by the {who}"] = (weak[0], outcome(weak))
    return found


def searched(runs: list[dict[str, tuple[str, Outcome]]]) -> list[str]:
    """The table of the searches."""
    head = ["search", "similarity", "difference", "judge", "difference", "says a word"]
    head += ["near", "cosine minus threshold", "near by the judge", "cosine minus threshold"]
    rows = []

    def column(way: str, key: str) -> np.ndarray:
        return np.array([asdict(run[way][1])[key] for run in runs])

    for way in runs[0]:
        cells = [way]
        for key in ("similarity", "judged"):
            values = column(way, key)
            cells += [f"{values.mean():.4f}", interval(values - column(FREE, key), "+.4f")]
        cells.append(f"{column(way, 'says').mean():.0%}")
        for key, near in (("own", "near"), ("judge", "judge_near")):
            cells += [interval(column(way, near), ".0%"), interval(column(way, key), "+.3f")]
        rows.append(cells)
    lines = [*markdown(head, rows), ""]
    for way in runs[0]:
        change = [
            column(GUARD, key) - column(way, key) for key in ("judge_near", "judge", "judged")
        ]
        near, cosine, judged = map(interval, change, ("+.0%", "+.3f", "+.4f"))
        if way != GUARD:
            lines.append(
                f"guard, difference from {way}: near by the judge {near}, cosine {cosine}, "
                f"similarity {judged}"
            )
    return lines


def main() -> None:
    """Run all searches and checks, and print the tables and the prompts of some pictures."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--pictures", type=int, default=71)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--save", action="store_true", help="write the tables to results/")
    options = parser.parse_args()
    own = bench(options.pictures)
    result: dict[str, Any] = {"machine": machine(1, processes=options.jobs)}
    print(result["machine"], f"{len(own.chosen)} pictures", sep="; ")
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=spawn) as pool:
        task = partial(searches, count=options.pictures)
        runs = list(pool.map(task, own.chosen, chunksize=4))
    result["searches"] = searched(runs)
    rates = checks(
        {"model": own.model, "judge": own.judge}, own.reserved, own.chosen,
        [run[FREE][0] for run in runs],
    )  # fmt: skip
    result["checks"] = checked(rates)
    result["checks"] += alarms(own.model, own.reserved.names)
    result["words"] = own.guards["model"].words
    print(*result["searches"], "", *result["checks"], "", sep="\n")
    result["prompts"] = {
        own.reserved.names[index]: {way: text for way, (text, _) in run.items()}
        for index, run in zip(own.chosen, runs, strict=True)
    }
    for name, prompts in list(result["prompts"].items())[:6]:
        print(name, *(f"{way:>30}: {text}" for way, text in prompts.items()), sep="\n")
    if options.save:
        print(save("guard", {"pictures": len(own.chosen), **result}))


if __name__ == "__main__":
    main()
