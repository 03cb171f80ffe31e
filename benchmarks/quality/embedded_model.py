"""The quality of the embedded model, on pictures of a vendor that it was not trained on.

    python -m benchmarks.quality.embedded_model [--pictures 300] [--jobs 2]

It measures retrieval and naming, and the share of learned prompts that contain a word of the
picture's name. The thresholds in parentheses are the figures of a first trial.
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from pez_core import PRESETS, SearchConfig, learn_prompt, load_model, make_mask, make_targets
from training.attributes import NAME_TEMPLATES, with_article
from training.evaluate import naming, retrieval
from training.reserved_set import ReservedSet, load_reserved

from ..measure import machine

DATA = Path(__file__).parents[1] / "data"
# Words of names that do not describe the picture.
HOLLOW = {"with", "of", "the", "a", "an", "and", "in", "on", "to", "for", "face", "sign", "symbol"}
HOLLOW |= {"mark", "person", "man", "woman"}
CONFIGS = {
    "pez 8 x 100": SearchConfig(steps=100, rounds=1, refine=0, patience=None),
    "default": PRESETS["default"],
}


def words(text: str) -> set[str]:
    """The words of a text, roughly in the singular."""
    found = re.findall(r"[a-z0-9]+", text.lower())
    return {w[:-1] if len(w) > 3 and w.endswith("s") else w for w in found}


def recalls(prompt: str, name: str) -> bool:
    """Whether the prompt contains a content word of the name."""
    content = (words(name) - HOLLOW) or words(name)
    return bool(content & words(prompt))


def learn(index: int, vocabulary: str, preset: str) -> tuple[str, float]:
    """The prompt of one reserved picture, and its similarity."""
    torch.set_num_threads(1)
    model = load_model("demo")
    reserved = load_reserved(DATA / "fxemoji.npz")
    picture = Image.fromarray(reserved.images[index])
    targets = make_targets(model.encode_pictures([picture]))
    mask = make_mask(model.vocabulary, vocabulary, words=model.source.words)
    result = learn_prompt(model, targets, config=CONFIGS[preset], mask=mask, seed=index)
    return result.best.text, result.best.similarity


def understanding(reserved: ReservedSet, names: list[str]) -> None:
    """Print retrieval and naming, each with its threshold."""
    model = load_model("demo")
    captions = [with_article(name) for name in reserved.names]
    pictures = model.encode_pictures([Image.fromarray(image) for image in reserved.images])
    texts = model.encode_texts(captions)
    found = retrieval(pictures, texts, captions)
    bank = sum(
        model.encode_texts([t.format(with_article(n)) for n in names]) for t in NAME_TEMPLATES
    )
    answers = [names.index(name) for name in reserved.names]
    named = naming(pictures, F.normalize(torch.as_tensor(bank), dim=-1), answers)
    there, back = found["image to text"], found["text to image"]
    print(f"image→text R@1 {there[1]:.1%} (at least 43 %), R@5 {there[5]:.1%} (74 %)")
    print(f"text→image R@1 {back[1]:.1%}, R@5 {back[5]:.1%}, R@10 {back[10]:.1%}")
    print(f"named among {len(names)}: top 1 {named[1]:.1%} (30 %), top 5 {named[5]:.1%}")
    print(f"similarity to the true caption: {float((pictures * texts).sum(1).mean()):.3f}")


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--pictures", type=int, default=300, help="whose prompts PEZ learns")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    print(machine(1))
    reserved = load_reserved(DATA / "fxemoji.npz")
    understanding(reserved, (DATA / "names.txt").read_text(encoding="utf-8").splitlines())
    spawn = multiprocessing.get_context("spawn")
    for vocabulary in ("words", "ascii"):
        for preset in CONFIGS:
            with ProcessPoolExecutor(options.jobs, mp_context=spawn) as pool:
                task = partial(learn, vocabulary=vocabulary, preset=preset)
                results = list(pool.map(task, range(options.pictures), chunksize=10))
            hits = np.array(
                [recalls(p, n) for (p, _), n in zip(results, reserved.names, strict=False)]
            )
            print(
                f"{preset}, 8 tokens of {vocabulary}: a word of the name in {hits.mean():.1%} ± "
                f"{1.96 * hits.std() / len(hits) ** 0.5:.1%} of {len(hits)} prompts (36 %), "
                f"similarity {np.mean([s for _, s in results]):.3f}"
            )


if __name__ == "__main__":
    main()
