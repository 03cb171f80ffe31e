"""Measures an exported model on drawings that it was not trained on.

    python -m training.evaluate --model pez_core/demo_model --data benchmarks/data

Retrieval: each picture among all captions, and back; identical captions count as correct.
Naming: each picture among the names of all emoji, each in three templates.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import open_clip
import torch
import torch.nn.functional as functional
from open_clip.model import CLIP
from PIL import Image
from torch import Tensor

from .attributes import NAME_TEMPLATES, with_article
from .reserved_set import ReservedSet, load_reserved

CHUNK = 128
TOP = (1, 5, 10)


class ExportedModel:
    """An exported model, used only through open_clip's own interface."""

    def __init__(self, folder: Path) -> None:
        name = f"local-dir:{folder}"
        model, _, self.preprocess = open_clip.create_model_and_transforms(name)
        self.model: CLIP = model.float().eval()
        self.tokenizer = open_clip.get_tokenizer(name)

    @torch.no_grad()
    def encode_pictures(self, images: np.ndarray) -> Tensor:
        """Unit features (N, D) of images (N, H, W, 3) uint8."""
        batch = torch.stack([self.preprocess(Image.fromarray(image)) for image in images])
        parts = [self.model.encode_image(part) for part in batch.split(CHUNK)]
        return functional.normalize(torch.cat(parts), dim=-1)

    @torch.no_grad()
    def encode_texts(self, texts: list[str]) -> Tensor:
        """Unit features (N, D) of texts."""
        parts = [self.model.encode_text(part) for part in self.tokenizer(texts).split(CHUNK)]
        return functional.normalize(torch.cat(parts), dim=-1)

    def encode_names(self, names: list[str]) -> Tensor:
        """Unit features (N, D) of names: the mean over the templates."""
        total = sum(
            self.encode_texts([template.format(with_article(name)) for name in names])
            for template in NAME_TEMPLATES
        )
        return functional.normalize(total, dim=-1)


def top_hits(scores: Tensor, correct: Tensor) -> dict[int, float]:
    """Share of rows with a correct column among the best k, for k in 1, 5, 10.

    scores, correct: (N, M), the latter bool.
    """
    ranked = correct.gather(1, scores.argsort(dim=1, descending=True))
    return {k: ranked[:, :k].any(1).float().mean().item() for k in TOP}


def retrieval(pictures: Tensor, captions: Tensor, texts: list[str]) -> dict[str, dict[int, float]]:
    """Hit rates picture -> text and text -> picture. pictures, captions: (N, D) unit features."""
    same = torch.tensor([[a == b for b in texts] for a in texts])
    scores = pictures @ captions.t()
    there, back = top_hits(scores, same), top_hits(scores.t(), same.t())
    return {"image to text": there, "text to image": back}


def naming(pictures: Tensor, bank: Tensor, answers: list[int]) -> dict[int, float]:
    """Hit rates of naming pictures (N, D) with a bank of name features (C, D)."""
    correct = torch.zeros(len(answers), len(bank), dtype=torch.bool)
    correct[torch.arange(len(answers)), torch.tensor(answers)] = True
    return top_hits(pictures @ bank.t(), correct)


def evaluate(model: ExportedModel, reserved: ReservedSet, all_names: list[str]) -> dict:
    """All figures of one reserved set."""
    captions = [with_article(name) for name in reserved.names]
    pictures = model.encode_pictures(reserved.images)
    texts = model.encode_texts(captions)
    place = {name: index for index, name in enumerate(all_names)}
    answers = [place[name] for name in reserved.names]
    figures = retrieval(pictures, texts, captions)
    figures["naming"] = naming(pictures, model.encode_names(all_names), answers)
    figures["true similarity"] = (pictures * texts).sum(1).mean().item()
    figures["mean similarity"] = (pictures @ texts.t()).mean().item()
    return figures


def _shown(value: dict[int, float] | float) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return " / ".join(f"{100 * share:.1f}" for share in value.values()) + " % (top 1 / 5 / 10)"


def main() -> None:
    """Print the figures of every available reserved set."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder with names.txt, *.npz")
    parser.add_argument("--extra", type=Path, help="a further folder with reserved sets")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model = ExportedModel(arguments.model)
    names = (arguments.data / "names.txt").read_text(encoding="utf-8").splitlines()
    folders = [arguments.data] + ([arguments.extra] if arguments.extra else [])
    for path in [p for folder in folders for p in sorted(folder.glob("*moji.npz"))]:
        reserved = load_reserved(path)
        print(f"{path.stem}: {len(reserved.names)} pictures, {len(names)} names")
        for what, value in evaluate(model, reserved, names).items():
            print(f"  {what:16s} {_shown(value)}")


if __name__ == "__main__":
    main()
