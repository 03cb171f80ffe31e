"""Learns the prompts of all methods for all pictures.

    python -m benchmarks.painted.prompts --out prompts.jsonl [--pictures 300] [--jobs 2] [--pack]

Each line is a part of a method's prompts. What is there already is not learned again. --pack writes
all prompts to results/painted_prompts.jsonl.xz, from which they can be painted again. A set of
pictures may also be a file that `training.reserved` or `training.painter.scene_set` writes; the
trials of the defaults were made on such files:

    python -m training.reserved --work DIR --out DIR
    python -m training.painter.scene_set --drawings DIR/drawings.zip --out DIR/scenes.webp \\
        --seed development
    python -m benchmarks.painted.prompts --out trials.jsonl --sets DIR/openmoji.npz \\
        DIR/scenes.webp --methods trials
    python -m benchmarks.painted.table --prompts trials.jsonl --work DIR/trials --sets \\
        DIR/openmoji.npz DIR/scenes.webp
"""

from __future__ import annotations

import argparse
import json
import lzma
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

from ..measure import RESULTS
from .methods import METHODS, TABLE_1, TRIALS, Method
from .parts import run_parts
from .picture_sets import DATA, SETS, picture_set
from .view_kinds import VIEW_KINDS

PART = 25  # pictures that are searched together
PACKED = RESULTS / "painted_prompts.jsonl.xz"
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


def searched(kind: str, method: Method, first: int, last: int) -> list[LearnedPrompt]:
    """What a method learns for some pictures of a set."""
    model = bench()
    goals = []
    for number, picture in enumerate(picture_set(kind).pictures[first:last], first):
        views = VIEW_KINDS[method.views](picture, number) if method.views else []
        seen = model.encode_pictures([picture, *views])
        goals.append(make_targets(seen.mean(dim=0, keepdim=True)))
    found: dict[int, LearnedPrompt] = {}
    searches = learn_prompts(
        model, goals, plain_template(method.tokens), at_once=len(goals), config=method.config,
        mask=mask_of(method, model), seed=first, dtype=torch.float32,
    )  # fmt: skip
    for number, result in searches:
        assert isinstance(result, LearnedPrompt), result
        found[number] = result
    return [found[number] for number in range(len(goals))]


def learn(kind: str, name: str, first: int, last: int) -> Found:
    """The prompts of one method for some pictures of a set."""
    learned = searched(kind, METHODS[name], first, last)
    return [(result.best.similarity, result.best.text) for result in learned]


def read(path: Path) -> Prompts:
    """The prompts in a file, which may be packed (.xz)."""
    prompts: Prompts = {}
    if path.is_file():
        with lzma.open(path, "rt") if path.suffix == ".xz" else path.open() as file:
            for kind, name, first, found in map(json.loads, file):
                of_method = prompts.setdefault((kind, name), {})
                of_method.update({first + k: tuple(pair) for k, pair in enumerate(found)})
    return prompts


def add_prompts_option(parser: argparse.ArgumentParser) -> None:
    """Adds the file of prompts to paint, and what paints them."""
    parser.add_argument(
        "--prompts",
        type=Path,
        default=PACKED,
        help="written by painted.prompts (default: results/)",
    )
    parser.add_argument("--painter", default="demo")


def pack(prompts: Prompts, path: Path) -> None:
    """Writes prompts as a packed file, a line for each set and method."""
    with lzma.open(path, "wt", preset=9 | lzma.PRESET_EXTREME) as file:
        for (kind, name), of_method in prompts.items():
            found = [[round(own, 4), text] for _, (own, text) in sorted(of_method.items())]
            file.write(json.dumps([kind, name, 0, found]) + "\n")


def main() -> None:
    """Learn what is missing."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument(
        "--methods", nargs="+", default=list(TABLE_1), choices=[*METHODS, "trials"],
        help="trials: all of TRIALS",
    )  # fmt: skip
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--pack", action="store_true", help="write them to results/")
    options = parser.parse_args()
    methods = [m for name in options.methods for m in ([*TRIALS] if name == "trials" else [name])]
    known = read(options.out)
    ends = [(f, min(f + PART, options.pictures)) for f in range(0, options.pictures, PART)]
    parts = {
        (kind, name, first): (kind, name, first, last)
        for name in methods
        for kind in options.sets
        for first, last in ends
        if not known.get((kind, name), {}).keys() >= set(range(first, last))
    }
    run_parts(learn, parts, options.out, options.jobs)
    if options.pack:
        pack(read(options.out), PACKED)


if __name__ == "__main__":
    main()
