"""Does a painter choose better than CLIP among the candidates of a search?

    python -m benchmarks.painted.ranking --work DIR [--pictures 200] [--sets fxemoji scenes]

The default search gives eight candidates for each picture, all liked by CLIP. The painter's error
of each is measured under ROUNDS noises at all levels; each is painted, and the judge, a CLIP that
took no part, compares what is painted with the original. The table compares the choices with CLIP's
own: by the error (also with fewer noises, or other levels, or racing), by painting each
candidate once in few steps and looking at it with the guide's image tower, by both, and the best
choice there is. Below it: which name of eight fits a picture, by the error and by CLIP.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

from pez_core.painter.denoising import PipelineErrors
from pez_core.painter.ranking import NO_WORDS, rank, relative_errors

from ..applied.shared import interval
from ..measure import machine, markdown, save
from .judging import judge_and_painter, rank_correlations, resemblance
from .methods import DEFAULT, Method
from .parts import measured
from .picture_sets import picture_set
from .prompts import bench, searched

CANDIDATES, ROUNDS, NAMES = 8, 4, 8
LEVELS = 10  # the whole schedule
NOISIER = slice(0, 4)  # what `rank` looks at
PAINTED_SEEDS, LOOKED_STEPS = 2, 8
PART = 10  # pictures in a line of the file
Found = dict[str, Any]  # of a picture


def measure(kind: str, first: int, last: int, painter_name: str, by: str) -> list[Found]:
    """What is known of the candidates of some pictures. by: who judges what is painted."""
    model, (judge, painter) = bench(), judge_and_painter(painter_name)
    see = judge.see if by == "judge" else model.encode_pictures
    pictures = picture_set(kind)
    learned = searched(kind, Method(DEFAULT.replace(candidates=CANDIDATES)), first, last)
    found = []
    for number, result in enumerate(learned, first):
        texts = [candidate.text for candidate in result.candidates]
        picture = pictures.pictures[number]
        seen = PipelineErrors(painter, picture, levels=LEVELS, steps=LEVELS)
        errors = torch.stack([relative_errors(seen, texts, n) for n in range(ROUNDS)], 1)
        guide = model.encode_pictures([picture])[0]
        looked = [
            painter.pipeline(
                text,
                guidance_scale=painter.settings.guidance,
                num_inference_steps=LOOKED_STEPS,
                generator=torch.Generator().manual_seed(number),
            ).images[0]
            for text in texts
        ]
        others = sorted({*pictures.names} - {pictures.names[number]})
        names = [pictures.names[number], *Random(number).sample(others, NAMES - 1)]
        named = torch.stack([relative_errors(seen, names, n) for n in range(2)], 1)
        found.append({
            "texts": texts,
            "errors": [[[round(e, 4) for e in row] for row in of] for of in errors.tolist()],
            "own": [candidate.similarity for candidate in result.candidates],
            "painted": resemblance(
                see, painter, texts, picture, [1000 * number + n for n in range(PAINTED_SEEDS)]
            ),
            "looked": (model.encode_pictures(looked) @ guide).tolist(),
            "name errors": named.mean((1, 2)).tolist(),
            "name similarities": (model.encode_texts(names) @ guide).tolist(),
        })  # fmt: skip
    return found


class Kept:
    """The errors that were measured, as a picture that a painter sees."""

    def __init__(self, found: Found) -> None:
        self.errors_of = dict(zip(found["texts"], np.array(found["errors"]), strict=True))
        self.levels = next(iter(self.errors_of.values())).shape[-1]

    def errors(self, prompts: Sequence[str], noise: int) -> torch.Tensor:
        ones = np.ones(self.levels)
        rows = [ones if p == NO_WORDS else self.errors_of[p][noise] for p in prompts]
        return torch.tensor(np.stack(rows))


def raced(found: Found) -> tuple[np.ndarray, int]:
    """The places of the candidates in a race (higher is better), and its passes."""
    errors = np.array(found["errors"])[:, :, NOISIER]
    ranking = rank(Kept({**found, "errors": errors}), found["texts"], ROUNDS)
    places = [ranked.prompt for ranked in ranking.prompts]
    return -np.array([places.index(text) for text in found["texts"]]), ranking.passes


def standard(values: np.ndarray) -> np.ndarray:
    spread: np.ndarray = (values - values.mean()) / (values.std() + 1e-9)
    return spread


def scores() -> dict[str, Callable[[Found], np.ndarray]]:
    """What chooses: the highest score of a picture's candidates is taken."""

    def error(rounds: int, levels: slice = NOISIER) -> Callable[[Found], np.ndarray]:
        return lambda found: -np.array(found["errors"])[:, :rounds, levels].mean((1, 2))

    return {
        "CLIP": lambda found: np.array(found["own"]),
        "the error, the noisiest 4 of 10 levels": error(ROUNDS),
        "the same, 1 noise": error(1),
        "the same, 2 noises": error(2),
        "the same, racing": lambda found: raced(found)[0],
        "the error, all levels": error(ROUNDS, slice(None)),
        "the error, the noisiest 3": error(ROUNDS, slice(0, 3)),
        "the error, the other 6": error(ROUNDS, slice(4, None)),
        f"painting once in {LOOKED_STEPS} steps and looking": lambda f: np.array(f["looked"]),
        "the error and looking": lambda found: (
            standard(error(ROUNDS)(found)) + standard(np.array(found["looked"]))
        ),
        "the best there is": lambda found: np.array(found["painted"]),
    }


def table(found: list[Found]) -> list[str]:
    """The choices, with paired intervals."""
    by_clip = np.array([f["painted"][int(np.argmax(f["own"]))] for f in found])
    chance = np.array([np.mean(f["painted"]) for f in found])
    rows = [["any of them, by chance", f"{chance.mean():.3f}",
             interval((chance - by_clip).tolist(), 3, "+"), ""]]  # fmt: skip
    for name, score in scores().items():
        values = [score(f) for f in found]
        painted = [np.array(f["painted"]) for f in found]
        taken = np.array([p[v.argmax()] for p, v in zip(painted, values, strict=True)])
        related = rank_correlations(np.transpose(values), np.transpose(painted))
        difference = "" if name == "CLIP" else interval((taken - by_clip).tolist(), 3, "+")
        rows.append([name, f"{taken.mean():.3f}", difference, f"{np.mean(related):+.2f}"])
    return markdown(
        ["chosen by", "painted similarity", "less CLIP's choice", "rank correlation"], rows
    )


def naming(found: list[Found]) -> str:
    """How often the true name is the first of eight."""
    error = [float(np.argmin(f["name errors"]) == 0) for f in found]
    clip = [float(np.argmax(f["name similarities"]) == 0) for f in found]
    return (
        f"true name first of {NAMES}: by the error {100 * np.mean(error):.0f} %, by CLIP "
        f"{100 * np.mean(clip):.0f} %"
    )


def racing(found: list[Found]) -> str:
    """What racing saves, and how often it gives the same first prompt."""
    full = scores()["the error, the noisiest 4 of 10 levels"]
    whole = ROUNDS * np.mean([len(f["texts"]) + 1 for f in found]) * NOISIER.stop
    races = [raced(f) for f in found]
    same = np.mean([r.argmax() == full(f).argmax() for (r, _), f in zip(races, found, strict=True)])
    share = np.mean([passes for _, passes in races]) / whole
    return (
        f"racing: {100 * share:.0f} % of the passes, {40 * share:.0f} % of those of all levels, "
        f"the same choice in {100 * same:.0f} %"
    )


def main() -> None:
    """Measure what is missing, and print the tables."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--painter", default="demo")
    parser.add_argument("--judge", choices=("judge", "guide"), default="judge")
    parser.add_argument("--sets", nargs="+", default=["fxemoji", "scenes"])
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--save", metavar="NAME", help="write the figures to results/")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    by_guide = "_by_guide" if options.judge == "guide" else ""
    path = options.work / f"{Path(options.painter).name}{by_guide}.jsonl"
    known = measured(
        measure, options.sets, options.pictures, PART, path, options.jobs, options.painter,
        options.judge,
    )  # fmt: skip
    result: dict[str, Any] = {"machine": machine(1), "pictures": options.pictures, "sets": {}}
    for kind, found in known.items():
        shown = [*table(found), "", naming(found), racing(found)]
        print(f"\n{kind}\n", *shown, sep="\n")
        result["sets"][Path(kind).stem] = shown
    if options.save:
        print(save(options.save, result))


if __name__ == "__main__":
    main()
