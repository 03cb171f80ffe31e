"""Why PEZ alone does not gain from more than 16 tokens: too few steps, or positions that the model
was hardly trained on?

    python -m benchmarks.quality.length_steps [--pictures 40] [--jobs 2] [--save]

It runs the preset `fast` with 5 to 200 steps instead of 20, at 8, 16 and 32 tokens. The embedded
model was trained on captions of at most 20 tokens, start and end included (`training/tokens.py`):
the embeddings of later positions keep their random initial values. So it repeats the runs with a
model whose 20 trained position embeddings are stretched over the whole prompt, by linear
interpolation. If the later positions were the cause, the similarity would rise there. Intervals are
95 %, over pictures.
"""

from __future__ import annotations

import argparse
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pez_core import PRESETS, ClipModel, LearnedPrompt, learn_prompts, make_targets
from pez_core.clip.text_tower import TextTower
from pez_core.text.template import plain_template

from ..applied.shared import interval
from ..measure import machine, markdown, save
from .length import PART_SIZE, Found, bench

LENGTHS = (8, 16, 32)
AS_TRAINED, STRETCHED = "as trained", "stretched"
# Steps and positions of each row; 20 steps are those of the preset.
ROWS = (
    (5, AS_TRAINED), (20, AS_TRAINED), (60, AS_TRAINED), (200, AS_TRAINED),
    (20, STRETCHED), (200, STRETCHED),
)  # fmt: skip
TRAINED = 20  # positions of the longest training caption


def stretched(positions: Tensor, length: int) -> Tensor:
    """The table (C, D) with the trained rows after the start token's stretched over a prompt of
    `length` tokens and the end token. The other rows do not change."""
    places = torch.linspace(1, TRAINED - 1, length + 1, dtype=positions.dtype)
    lower, upper = positions[places.floor().long()], positions[places.ceil().long()]
    result = positions.clone()
    result[1 : length + 2] = torch.lerp(lower, upper, places.frac()[:, None])
    return result


def with_positions(model: ClipModel, kind: str, length: int) -> ClipModel:
    """The model as it is, or with its positions stretched over a prompt of `length` tokens."""
    if kind == AS_TRAINED:
        return model
    assert isinstance(model.tower, TextTower)
    positions = stretched(model.tower.positional_embedding, length)
    return replace(model, tower=replace(model.tower, positional_embedding=positions))


def run(steps: int, kind: str, length: int, first: int, last: int) -> Found:
    """The best prompts for some pictures, with their similarity on the searched model."""
    model, judge = bench()
    features = model.encode_pictures(judge.pictures[first:last])
    goals = [make_targets(feature[None]) for feature in features]
    found: dict[int, tuple[str, float]] = {}
    searches = learn_prompts(
        with_positions(model, kind, length), goals, plain_template(length),
        config=PRESETS["fast"].replace(steps=steps), seed=first, dtype=torch.float32,
    )  # fmt: skip
    for number, result in searches:
        assert isinstance(result, LearnedPrompt), result
        found[number] = (result.best.text, result.best.similarity)
    return [found[number] for number in range(last - first)]


def row_of(steps: int, kind: str, found: dict[int, Found]) -> dict[str, Any]:
    """The similarities of every picture by length, on the searched CLIP and on the judge."""
    _, judge = bench()
    own = {str(length): [similarity for _, similarity in found[length]] for length in LENGTHS}
    judged = {}
    for length in LENGTHS:
        texts = [text for text, _ in found[length]]
        judged[str(length)] = judge.verdict(texts, list(range(len(texts)))).similarity.tolist()
    return {"steps": steps, "positions": kind, "own": own, "judge": judged}


def summary(rows: list[dict[str, Any]]) -> list[str]:
    """The table: mean similarities, and the difference of 32 tokens from 16."""
    lines = []
    for row in rows:
        cells = [str(row["steps"]), row["positions"]]
        cells += [f"{np.mean(row['own'][str(length)]):.4f}" for length in LENGTHS]
        for measure, digits in (("own", 4), ("judge", 3)):
            short, long = (np.array(row[measure][str(length)]) for length in LENGTHS[1:])
            cells.append(interval((long - short).tolist(), digits, "+"))
        lines.append(cells)
    head = ["steps", "positions", *(f"{length} tokens" for length in LENGTHS)]
    return markdown([*head, "32 tokens, difference from 16", "the same, judge similarity"], lines)


def position_norms() -> str:
    """The lengths of the trained position embeddings and of the others, in words."""
    tower = bench()[0].tower
    assert isinstance(tower, TextTower)
    norms = tower.positional_embedding.norm(dim=1)
    few, rest = norms[1:TRAINED], norms[TRAINED:]
    return (
        f"length of the position embeddings: {few.min():.2f} to {few.max():.2f} of the {TRAINED} "
        f"trained, without the first; {rest.min():.2f} to {rest.max():.2f} of the others"
    )


def main() -> None:
    """Run all pictures and print the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--pictures", type=int, default=40)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--save", action="store_true", help="write results/length_steps.json")
    options = parser.parse_args()
    about, count = machine(1, processes=options.jobs), options.pictures
    print(about, f"{count} pictures", sep="; ")
    spawn = multiprocessing.get_context("spawn")
    rows = []
    with ProcessPoolExecutor(options.jobs, mp_context=spawn) as pool:
        parts = {
            (steps, kind, length): [
                pool.submit(run, steps, kind, length, first, min(first + PART_SIZE, count))
                for first in range(0, count, PART_SIZE)
            ]
            for steps, kind in ROWS
            for length in LENGTHS
        }
        for steps, kind in ROWS:
            found = {
                length: [pair for part in parts[steps, kind, length] for pair in part.result()]
                for length in LENGTHS
            }
            rows.append(row_of(steps, kind, found))
    print(position_norms(), *summary(rows), sep="\n")
    if options.save:
        print(save("length_steps", {"machine": about, "pictures": count, "rows": rows}))


if __name__ == "__main__":
    main()
