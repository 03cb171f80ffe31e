"""Learns the prompts of all methods for all pictures.

    python -m benchmarks.painted.prompts --out prompts.jsonl [--pictures 300] [--jobs 2]

Each line is a part of a method's prompts. What is there already is not learned again.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from pathlib import Path

import torch

from pez_core import (
    ClipModel,
    LearnedPrompt,
    TokenMask,
    learn_prompts,
    load_model,
    make_mask,
    make_targets,
)
from pez_core.text.template import plain_template
from training.reserved_set import load_reserved

from ..judge import RESERVED
from ..quality.transfer import view
from .methods import METHODS, Method
from .picture_sets import DATA, SETS, picture_set

PART = 25  # pictures that are searched together
Found = list[tuple[float, str]]  # own similarity and prompt of each picture
Prompts = dict[tuple[str, str], dict[int, tuple[float, str]]]  # by set and method, then by picture


@cache
def bench() -> ClipModel:
    """The model, loaded once in every process."""
    torch.set_num_threads(1)
    return load_model("demo")


def mask_of(method: Method, model: ClipModel) -> TokenMask:
    names = (DATA / "names.txt").read_text(encoding="utf-8").split()
    return make_mask(
        model.vocabulary,
        None if method.bank else method.kind,
        words=model.source.words,
        allow=sorted(set(names)) if method.bank else None,
    )


def learn(kind: str, name: str, first: int, last: int) -> Found:
    """The prompts of one method for some pictures of a set."""
    model, method = bench(), METHODS[name]
    goals = []
    for number, picture in enumerate(picture_set(kind).pictures[first:last], first):
        rng = random.Random(number)
        shown = [picture, *(view(picture, rng) for _ in range(method.views))]
        goals.append(make_targets(model.encode_pictures(shown)))
    found: dict[int, tuple[float, str]] = {}
    searches = learn_prompts(
        model, goals, plain_template(method.tokens), at_once=PART, config=method.config,
        mask=mask_of(method, model), seed=first, dtype=torch.float32,
    )  # fmt: skip
    for number, result in searches:
        assert isinstance(result, LearnedPrompt), result
        found[number] = (result.best.similarity, result.best.text)
    return [found[number] for number in range(len(goals))]


def read(path: Path) -> Prompts:
    """The prompts in a file."""
    prompts: Prompts = {}
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            kind, name, first, found = json.loads(line)
            of_method = prompts.setdefault((kind, name), {})
            of_method.update({first + k: tuple(pair) for k, pair in enumerate(found)})
    return prompts


def main() -> None:
    """Learn what is missing."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--pictures", type=int, default=len(load_reserved(RESERVED).names))
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    known, spawn = read(options.out), multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=spawn) as pool:
        parts = {
            pool.submit(learn, kind, name, first, min(first + PART, options.pictures)): (
                kind, name, first,
            )
            for name in options.methods
            for kind in options.sets
            for first in range(0, options.pictures, PART)
            if first not in known.get((kind, name), {})
        }  # fmt: skip
        for done, future in enumerate(as_completed(parts), 1):
            with options.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps([*parts[future], future.result()]) + "\n")
            print(f"{done} of {len(parts)}: {parts[future]}", flush=True)


if __name__ == "__main__":
    main()
