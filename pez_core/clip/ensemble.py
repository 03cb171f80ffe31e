"""Several text encoders that read the same tokens, combined into one, such as SDXL's CLIP-L and
OpenCLIP-bigG.

Let the encoders have weights w that sum to 1, and let f and t be their unit features of a text and
a picture. The features are multiplied by √w and concatenated. The results are unit vectors again,
and their dot product is Σ w·(f·t), the weighted mean of the encoders' cosines. So any code that
works on the features of one encoder works on those of an ensemble.

The token tables are concatenated as well, with one row for each token. They are scaled to the same
mean length, so that each has equal influence on which token is nearest.

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
    """Several text towers that read the same sequence of tokens.

    token_embedding: (V, D) their scaled tables, concatenated. towers: each without its own table.
    scales: the divisor of each tower's part of the table. weights: they sum to 1.
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
        """The unit features of each encoder, taken from features of the ensemble. (N, E) → (N, Eᵢ)
        each."""
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

    Raises ModelError when the towers have different vocabularies.
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
    """The unit features of an ensemble, from those of its encoders. (N, Eᵢ) each → (N, E)"""
    scaled = [feature * weight**0.5 for feature, weight in zip(features, weights, strict=True)]
    return torch.cat(scaled, dim=-1)


def _mean_length(table: Tensor) -> float:
    """The mean length of the rows of trained tokens; the other rows are zeros."""
    lengths = table.norm(dim=1)
    trained = lengths[lengths > 0]
    return trained.mean().item() if len(trained) else 1.0
