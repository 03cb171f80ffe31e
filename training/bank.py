"""A bank of the features of all concept names, against which every picture is classified.

A batch holds a few hundred captions, but the bank holds every name: thousands of negatives for the
cost of one encoding of the names every few dozen steps. The names that a picture is most confused
with are then encoded again, as negatives with a gradient.
"""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from open_clip.model import CLIP
from torch import Tensor

from .attributes import NAME_TEMPLATES, with_article
from .concepts import Concept
from .features import token_features
from .tokens import TokenTable

CHUNK = 512


class NameBank:
    """Cached features (C, D) of the names of all concepts."""

    def __init__(self, concepts: list[Concept], table: TokenTable) -> None:
        self.names = [with_article(concept.name) for concept in concepts]
        self.table = table
        self.features = torch.zeros(0)

    @torch.no_grad()
    def refresh(self, model: CLIP, turn: int) -> None:
        """Encode all names again, in the next template."""
        template = NAME_TEMPLATES[turn % len(NAME_TEMPLATES)]
        texts = [template.format(name) for name in self.names]
        parts = []
        for first in range(0, len(texts), CHUNK):
            ids, end = self.table.encode(texts[first : first + CHUNK])
            parts.append(token_features(model, ids, end))
        self.features = torch.cat(parts)

    def loss(self, pictures: Tensor, concepts: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """Cross-entropy of naming pictures (B, D), and the logits (B, C) without gradient.

        concepts (B,): the concept that each picture shows, or -1 for pictures of two objects.
        """
        logits = scale * pictures @ self.features.t()
        loss = functional.cross_entropy(logits, concepts, ignore_index=-1)
        return loss, logits.detach()

    def most_confused(self, logits: Tensor, concepts: Tensor, count: int) -> Tensor:
        """Up to `count` distinct concepts (K,) with which pictures are confused."""
        single = concepts >= 0
        wrong = logits[single].clone()
        wrong.scatter_(1, concepts[single][:, None], float("-inf"))
        # Names present in the batch are negatives already.
        wrong[:, concepts[single]] = float("-inf")
        gap, taken_for = (wrong - logits[single].gather(1, concepts[single][:, None])).max(1)
        order = gap.argsort(descending=True)[:count]
        return taken_for[order].unique()

    def encode_live(self, model: CLIP, concepts: Tensor) -> Tensor:
        """Features (K, D) of the names of `concepts`, with gradient."""
        ids, end = self.table.encode([self.names[i] for i in concepts.tolist()])
        return token_features(model, ids, end)
