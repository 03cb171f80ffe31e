"""The neutral judge: a second small CLIP, trained independently, that no search uses.

Unrelated words can reach a high similarity on the optimised CLIP, so the paper judges with another
one (arXiv 2302.03668 §4.1). Ours has another seed, another image tower and other widths than the
embedded model, and its own run over the data (`training/configs/judge.json`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from pez_core import load_model
from training.reserved_set import ReservedSet, load_reserved

from .quality.embedded_model import recalls

FOLDER = Path(__file__).parent / "judge"
RESERVED = Path(__file__).parent / "data" / "fxemoji.npz"


@dataclass(frozen=True)
class Verdict:
    """The judge's figures of N prompts, each an array (N,).

    similarity: to the prompt's own picture. rank: of that picture among all reserved ones; 1 is the
    first. recall: whether the prompt contains a content word of the picture's name.
    """

    similarity: np.ndarray
    rank: np.ndarray
    recall: np.ndarray


class Judge:
    """The judge and its view of the reserved pictures."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.reserved: ReservedSet = load_reserved(RESERVED)
        self.pictures = [Image.fromarray(image) for image in self.reserved.images]
        self._model = load_model(str(folder))
        self.features = self._model.encode_pictures(self.pictures)  # (300, E)

    def verdict(self, prompts: list[str], pictures: list[int]) -> Verdict:
        """The figures of N prompts. pictures: the index of the reserved picture of each."""
        scores = self._model.encode_texts(prompts) @ self.features.T  # (N, 300)
        own = scores[range(len(pictures)), pictures]
        rank = (scores > own[:, None]).sum(dim=1) + 1
        names = [self.reserved.names[picture] for picture in pictures]
        recall = [recalls(prompt, name) for prompt, name in zip(prompts, names, strict=True)]
        return Verdict(own.numpy(), rank.numpy(), np.array(recall))

    def see(self, pictures: list[Image.Image]) -> Tensor:
        """Unit features of any pictures, (N, E)."""
        return self._model.encode_pictures(pictures)

    def read(self, texts: list[str]) -> Tensor:
        """Unit features of any texts, (N, E)."""
        return self._model.encode_texts(texts)

    def text_similarity(self, texts: list[str], whole: str) -> list[float]:
        """The cosines of texts with another text."""
        scores: list[float] = (self.read(texts) @ self.read([whole])[0]).tolist()
        return scores
