"""Measures a painter on captions and pictures of the reserved set.

    python -m training.painter.evaluate --painter pez_core/demo_painter --out DIR

Retrieval: the true captions of 100 pictures are painted, and each painted picture is looked up
among all 300 captions, by the embedded CLIP and by the judge. Names: how often a picture painted
from the true name resembles the original more, to the judge, than one painted from another name.
Two files to look at: blind.png has 24 painted pictures, and key.txt what they should show.
Intervals are 95 % bootstrap over pictures.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from PIL import Image

from pez_core import ClipModel, load_model
from pez_core.clip.model_names import DEMO_FOLDER
from pez_core.evaluation.intervals import mean_interval
from pez_core.painter.demo import build_pipeline, load_denoiser
from pez_core.painter.settings import DEMO, DEMO_GUIDANCE, DEMO_STEPS, PainterSettings

from ..attributes import with_article
from ..reserved_set import load_reserved
from .config import ROOT

SHOWN, COLUMNS, SIDE = 24, 6, 144
BATCH = 50


def interval(values: Any) -> list[float]:
    """Mean and 95 % bootstrap interval of values (N,)."""
    return [round(value, 3) for value in mean_interval(np.asarray(values, dtype=float))]


def paint(
    pipeline: Any, settings: PainterSettings, texts: list[str], seed: int
) -> list[Image.Image]:
    """A picture of each text, many at once. The noise depends on the seed and the place in the
    list, not on the text."""
    made: list[Image.Image] = []
    for start in range(0, len(texts), BATCH):
        part = texts[start : start + BATCH]
        noises = [seed * 100_003 + start + k for k in range(len(part))]
        made += pipeline(
            part,
            guidance_scale=settings.guidance,
            num_inference_steps=settings.steps,
            generator=[torch.Generator().manual_seed(noise) for noise in noises],
        ).images
    return made


def ranks(model: ClipModel, pictures: list[Image.Image], texts: list[str], rows: list[int]) -> Any:
    """How many of the captions are nearer to each picture than its own (N,)."""
    scores = model.encode_pictures(pictures) @ model.encode_texts(texts).T
    own = scores[range(len(rows)), rows]
    # Another picture may have the same caption.
    other = torch.tensor([[text != texts[row] for text in texts] for row in rows])
    return ((scores > own[:, None]) & other).sum(1).numpy()


def found(rank: Any) -> dict[str, list[float]]:
    """R@1 and R@5 with their intervals."""
    return {"R@1": interval(rank < 1), "R@5": interval(rank < 5)}


def measure(
    pipeline: Any, settings: PainterSettings, count: int, seed: int = 0
) -> tuple[dict[str, Any], list[int]]:
    """All figures, and the rows of the pictures that were used."""
    reserved = load_reserved(ROOT / "benchmarks" / "data" / "fxemoji.npz")
    originals = [Image.fromarray(image) for image in reserved.images]
    captions = [with_article(name) for name in reserved.names]
    rows = sorted(Random(11).sample(range(len(captions)), count))
    models = {
        "embedded": load_model("demo"),
        "judge": load_model(str(ROOT / "benchmarks" / "judge")),
    }
    began = time.perf_counter()
    painted = paint(pipeline, settings, [captions[row] for row in rows], seed)
    figures: dict[str, Any] = {
        "guidance": settings.guidance,
        "steps": settings.steps,
        "seconds_each": round((time.perf_counter() - began) / count, 3),
    }
    for name, model in models.items():
        figures[name] = found(ranks(model, painted, captions, rows))
        figures[f"{name}, originals"] = found(
            ranks(model, [originals[row] for row in rows], captions, rows)
        )
    shift = count // 2  # the name of another picture
    moved = [captions[row] for row in rows[shift:] + rows[:shift]]
    other = paint(pipeline, settings, moved, seed)
    judge = models["judge"]
    true = judge.encode_pictures([originals[row] for row in rows])
    near = [(judge.encode_pictures(made) * true).sum(1) for made in (painted, other)]
    figures["true name more like the original"] = interval((near[0] > near[1]).numpy())
    figures["similarity to the original"] = [interval(part.numpy()) for part in near]
    return figures, rows


def write_blind(
    pipeline: Any, settings: PainterSettings, rows: list[int], out: Path, seed: int = 7
) -> None:
    """Write 24 painted pictures without their captions, and the captions apart."""
    names = load_reserved(ROOT / "benchmarks" / "data" / "fxemoji.npz").names
    shown = Random(seed).sample(rows, SHOWN)
    painted = paint(pipeline, settings, [with_article(names[row]) for row in shown], seed)
    sheet = Image.new("RGB", (COLUMNS * SIDE, SHOWN // COLUMNS * SIDE), "white")
    for place, image in enumerate(painted):
        corner = (place % COLUMNS * SIDE, place // COLUMNS * SIDE)
        sheet.paste(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC), corner)
    out.mkdir(parents=True, exist_ok=True)
    sheet.save(out / "blind.png")
    lines = [f"{place + 1} {names[row]}" for place, row in enumerate(shown)]
    (out / "key.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Print the figures as JSON; write the sheet and its key."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--painter", type=Path, required=True)
    parser.add_argument("--clip", type=Path, default=DEMO_FOLDER, help="with whose text encoder")
    parser.add_argument("--out", type=Path, required=True, help="folder of blind.png and key.txt")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--guidance", type=float, nargs="+", default=[DEMO_GUIDANCE])
    parser.add_argument("--steps", type=int, default=DEMO_STEPS)
    arguments = parser.parse_args()
    pipeline = build_pipeline(load_denoiser(arguments.painter), arguments.clip)
    for guidance in arguments.guidance:
        settings = PainterSettings(DEMO, guidance, arguments.steps)
        figures, rows = measure(pipeline, settings, arguments.count)
        print(json.dumps(figures, indent=1), flush=True)
    write_blind(pipeline, settings, rows, arguments.out)


if __name__ == "__main__":
    main()
