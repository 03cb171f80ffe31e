"""open_clip's own model, tokeniser and preprocessing for the embedded weights: what a result of
pez_core is compared with."""

from __future__ import annotations

from collections.abc import Sequence

import open_clip
import torch
from PIL import Image
from torch import Tensor

from pez_core import Targets
from pez_core.clip.model_names import DEMO_FOLDER


class DemoOracle:
    """The embedded model, loaded and run by open_clip alone."""

    def __init__(self) -> None:
        name = f"local-dir:{DEMO_FOLDER}"
        self.model, self.preprocess = open_clip.create_model_from_pretrained(name)
        self.model.eval()
        self.tokenizer = open_clip.get_tokenizer(name)

    @torch.no_grad()
    def texts(self, texts: Sequence[str]) -> Tensor:
        """(N, E) unit features."""
        return self.model.encode_text(self.tokenizer(list(texts)), normalize=True)

    @torch.no_grad()
    def pictures(self, pictures: Sequence[Image.Image]) -> Tensor:
        """(N, E) unit features."""
        batch = torch.stack([self.preprocess(picture) for picture in pictures])
        return self.model.encode_image(batch, normalize=True)

    def similarity(self, text: str, targets: Targets) -> float:
        """The weighted mean cosine of a text with the targets, written out as a sum."""
        (feature,) = self.texts([text]).double()
        cosines = [float(feature @ t) for t in targets.features.double()]
        weights = targets.weights.tolist()
        total = sum(w * c for w, c in zip(weights, cosines, strict=True))
        return total / sum(abs(w) for w in weights)
