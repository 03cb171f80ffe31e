"""Several text encoders that read the same tokens, as one: SDXL's CLIP-L and OpenCLIP-bigG.

Let the encoders have weights w that sum to 1 and give the unit features f of a text and t of a
picture. Side by side, each times √w, the features are unit vectors again, and their dot product is
Σ w·(f·t): the weighted mean of the encoders' cosines. So whatever works on the features of one
encoder works on those of several.

The token tables stand side by side as well, one row a token, scaled to the same mean length so that
all have an equal say in which token is nearest.

But: the encoders must share a vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from ..compute.inference import normal
from ..errors import ModelError
from .text_tower import TextTower, Tower


@dataclass(frozen=True)
class EncoderEnsemble(Tower):
    """Text towers that read one sequence of tokens.

    token_embedding: (V, D) their scaled tables side by side. towers: each without a table of its
    own. scales: by what the part of each in the table has been divided. weights: they sum to 1.
    """

    token_embedding: Tensor
    towers: tuple[TextTower, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "token_embedding", normal(self.token_embedding))

    @property
    def widths(self) -> tuple[int, ...]:
        return tuple(width for tower in self.towers for width in tower.widths)

    @property
    def embed_dim(self) -> int:
        return sum(tower.embed_dim for tower in self.towers)

    def features(self, embeddings: Tensor) -> Tensor:
        parts = torch.split(embeddings, list(self.widths), dim=-1)
        read = zip(self.towers, parts, self.scales, strict=True)
        return join_features([t.features(part * scale) for t, part, scale in read], self.weights)

    def split(self, features: Tensor) -> tuple[Tensor, ...]:
        """The unit features of each encoder in features of the ensemble. (N, E) → (N, Eᵢ) each."""
        parts = torch.split(features, [tower.embed_dim for tower in self.towers], dim=-1)
        return tuple(F.normalize(part, dim=-1) for part in parts)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> EncoderEnsemble:
        towers = tuple(tower.to(device, dtype) for tower in self.towers)
        return replace(self, token_embedding=self.token_embedding.to(device), towers=towers)

    def for_search(self) -> EncoderEnsemble:
        return replace(self, towers=tuple(tower.for_search() for tower in self.towers))

    def map(self, change: Callable[[Tensor], Tensor]) -> EncoderEnsemble:
        table = change(self.token_embedding)
        towers = tuple(tower.map(change) for tower in self.towers)
        return replace(self, token_embedding=table, towers=towers)


@torch.inference_mode(False)
def join_towers(towers: Sequence[TextTower], weights: Sequence[float]) -> EncoderEnsemble:
    """The ensemble of towers whose weights sum to 1.

    Raises ModelError where the towers have different vocabularies.
    """
    sizes = [len(tower.token_embedding) for tower in towers]
    if len(set(sizes)) > 1:
        raise ModelError(
            f"text encoders with vocabularies of {' and '.join(map(str, sizes))} tokens cannot "
            "read the same prompt: choose models with CLIP's own vocabulary"
        )
    lengths = [_mean_length(tower.token_embedding) for tower in towers]
    scales = tuple(length * len(lengths) / sum(lengths) for length in lengths)
    bodies = tuple(
        replace(t, token_embedding=t.token_embedding.new_empty(0, *t.widths)) for t in towers
    )
    joint = torch.cat([tower.token_embedding for tower in towers], dim=1)
    ensemble = EncoderEnsemble(joint, bodies, scales, tuple(weights))
    for part, scale in zip(joint.split(list(ensemble.widths), dim=1), scales, strict=True):
        part.div_(scale)  # in place: the tables are large
    return ensemble


def join_features(features: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """The unit features of several encoders as those of their ensemble. (N, Eᵢ) each → (N, E)"""
    weighed = [feature * weight**0.5 for feature, weight in zip(features, weights, strict=True)]
    return torch.cat(weighed, dim=-1)


def _mean_length(table: Tensor) -> float:
    """Of the rows of tokens that were trained; the others are zeros."""
    lengths = table.norm(dim=1)
    trained = lengths[lengths > 0]
    return trained.mean().item() if len(trained) else 1.0
