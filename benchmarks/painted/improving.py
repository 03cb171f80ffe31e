"""Does a picture come back better from words that the painter has learned?

    python -m benchmarks.painted.improving --work DIR [--pictures 100] [--seconds 5] [--save NAME]

The default search gives eight candidates for each picture. What comes of them in the same time, on
one thread: CLIP searches on; the painter chooses; it takes edits of CLIP's best, or of its own
choice, which CLIP proposes or which have words of the other candidates only. The judge, a CLIP that
took no part, compares what each prompt paints with the original.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pez_core import Painter, learn_prompt, make_mask, make_targets
from pez_core.applications.word_edits import borrowed_edits, edits_by_clip
from pez_core.painter.denoising import PipelineErrors
from pez_core.painter.improving import improve
from pez_core.painter.ranking import rank

from ..applied.shared import interval
from ..measure import machine, markdown, save
from .judging import judge_and_painter, resemblance
from .methods import DEFAULT
from .parts import measured
from .picture_sets import SETS, picture_set
from .prompts import bench

PART, CANDIDATES, PAINTED_SEEDS = 5, 8, 2
MANY = 10_000  # rounds or edits: the time ends it
CLIP, LONGER, CHOICE = "CLIP, default", "CLIP, as many seconds", "the painter chooses"
Found = dict[str, Any]  # by method: text, passes, seconds, painted


def measure(kind: str, first: int, last: int, painter_name: str, seconds: float) -> list[Found]:
    """What each method gives for some pictures."""
    judge, painter = judge_and_painter(painter_name)
    found = []
    for number in range(first, last):
        picture = picture_set(kind).pictures[number]
        methods = prompts_of(picture, painter, seconds, number)
        texts = [of["text"] for of in methods.values()]
        noises = [1000 * number + n for n in range(PAINTED_SEEDS)]
        painted = resemblance(judge.see, painter, texts, picture, noises)
        for of, value in zip(methods.values(), painted, strict=True):
            of["painted"] = value
        found.append(methods)
    return found


def prompts_of(picture: Any, painter: Painter, seconds: float, seed: int) -> Found:
    """The prompt of each method, its passes of the painter, and its seconds after the search."""
    model = bench()
    targets = make_targets(model.encode_pictures([picture]))
    mask = make_mask(model.vocabulary, words=model.source.words)
    config = DEFAULT.replace(candidates=CANDIDATES)
    learned = learn_prompt(model, targets, config=config, mask=mask, seed=seed, dtype=torch.float32)
    texts = [candidate.text for candidate in learned.candidates]
    longer = DEFAULT.replace(rounds=MANY, patience=None, seconds=seconds + learned.seconds)
    on = learn_prompt(model, targets, config=longer, mask=mask, seed=seed, dtype=torch.float32)
    began = time.perf_counter()
    seen = PipelineErrors(painter, picture)
    chosen = rank(seen, texts, seconds=seconds)
    choice, spent = chosen.prompts[0].prompt, time.perf_counter() - began

    def by_clip(text: str) -> list[str]:
        return edits_by_clip(model, text, targets, mask)

    generator = torch.Generator().manual_seed(seed)

    def borrowed(text: str) -> list[str]:
        return borrowed_edits(text, texts, generator)

    found: Found = {
        CLIP: {"text": texts[0], "passes": 0, "seconds": 0.0},
        LONGER: {"text": on.best.text, "passes": 0, "seconds": seconds},
        CHOICE: {"text": choice, "passes": chosen.passes, "seconds": spent},
    }
    for name, start, propose, used in (
        ("the painter's edits of CLIP's best", texts[0], by_clip, 0.0),
        ("the painter chooses, then edits", choice, by_clip, spent),
        ("the same, words of the others only", choice, borrowed, spent),
    ):
        left = max(seconds - used, 0.01)
        edited = improve(seen, start, propose, edits=MANY, seconds=left)
        passes = edited.passes + (chosen.passes if used else 0)
        found[name] = {"text": edited.prompt, "passes": passes, "edits": len(edited.edits),
                       "seconds": used + edited.seconds}  # fmt: skip
    return found


def table(found: list[Found]) -> list[str]:
    """The methods, compared with the default search, with CLIP's in the same time, and with the
    painter's choice."""
    painted = {name: np.array([f[name]["painted"] for f in found]) for name in found[0]}
    others = [painted[name] for name in (CLIP, LONGER, CHOICE)]
    rows = []
    for name, values in painted.items():
        of = [f[name] for f in found]
        words = np.mean([len(one["text"].split()) for one in of])
        passes, spent = (np.mean([one[key] for one in of]) for key in ("passes", "seconds"))
        rows.append([
            name, f"{values.mean():.3f}",
            *("" if values is o else interval((values - o).tolist(), 3, "+") for o in others),
            f"{words:.1f}", f"{passes:.0f}", f"{spent:.1f}",
        ])  # fmt: skip
    return markdown(
        ["prompt", "painted similarity", "less default", "less CLIP in the same time",
         "less the choice", "words", "passes", "seconds"], rows,
    )  # fmt: skip


def main() -> None:
    """Measure what is missing, and print the tables."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--painter", default="demo")
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--save", metavar="NAME", help="write the figures to results/")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    path = options.work / f"improving_{Path(options.painter).name}_{options.seconds:g}.jsonl"
    known = measured(
        measure, options.sets, options.pictures, PART, path, options.jobs, options.painter,
        options.seconds,
    )  # fmt: skip
    result: dict[str, Any] = {"machine": machine(1), "pictures": options.pictures,
                              "seconds": options.seconds, "sets": {}}  # fmt: skip
    all_sets = {"together": sum(known.values(), [])} if len(known) > 1 else {}
    for kind, found in {**known, **all_sets}.items():
        shown = table(found)
        print(f"\n{kind}\n", *shown, sep="\n")
        result["sets"][Path(kind).stem] = shown
    if options.save:
        print(save(options.save, result))


if __name__ == "__main__":
    main()
