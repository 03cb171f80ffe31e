"""Proj_E of the paper (arXiv 2302.03668 §3): the nearest token of each embedding, by cosine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ..compute.linear import product
from ..errors import VocabularyError

NEAREST = 4  # tokens that half precision may confuse; they are compared again


@dataclass(frozen=True)
class TokenTable:
    """The token embeddings that a search may use, normalised once.

    ids: (A,) token ids. embeddings: (A, D) theirs. directions: (A, D) the embeddings at unit
    length, in the precision of the search.
    """

    ids: Tensor
    embeddings: Tensor
    directions: Tensor

    def products(self, embeddings: Tensor) -> Tensor:
        """The products with every direction, in the precision of the directions: cosines times the
        length of the embedding, which does not change where a line has its maximum.
        (N, D) → (N, A)"""
        return product(embeddings.to(self.directions.dtype), self.directions)

    def nearest(self, embeddings: Tensor) -> Tensor:
        """The tokens nearest by cosine, as indices into `ids`. embeddings: (..., D) → (...)."""
        flat = embeddings.reshape(-1, embeddings.shape[-1])  # (N, D)
        cosines = self.products(flat)
        if self.directions.dtype == self.embeddings.dtype:
            return cosines.argmax(dim=-1).view(embeddings.shape[:-1])
        # Half precision takes a third of the time, but rounds near tokens to the same cosine.
        few = cosines.topk(min(NEAREST, len(self.ids))).indices  # (N, NEAREST)
        near = self.embeddings[few]  # (N, NEAREST, D)
        best = ((near @ flat[..., None]).squeeze(-1) / near.norm(dim=-1)).argmax(dim=-1)
        return few.gather(-1, best[:, None]).view(embeddings.shape[:-1])


@torch.inference_mode(False)
def token_table(
    embedding: Tensor,
    allowed: Tensor,
    widths: Sequence[int] | None = None,
    dtype: torch.dtype | None = None,
) -> TokenTable:
    """The table of the allowed ids. embedding: (V, D); allowed: (A,) ids. dtype: the precision in
    which the nearest token is searched, that of the embedding if left out.

    A token whose embedding is zeros (the model never trained it) has no direction and is left out.
    widths: of the tables side by side in `embedding`; a token that is zeros in one of them is left
    out too.
    Raises VocabularyError when no token is left.
    """
    allowed = allowed.to(embedding.device)
    own = embedding[allowed]
    parts = torch.split(own, list(widths or own.shape[1:]), dim=1)
    trained = torch.stack([part.norm(dim=1) > 0 for part in parts]).all(dim=0)
    if not bool(trained.any()):
        raise VocabularyError(
            f"none of the {len(allowed)} allowed tokens is known to this model: allow more words"
        )
    if not bool(trained.all()):
        allowed, own = allowed[trained], own[trained]
    return TokenTable(allowed, own, F.normalize(own, dim=-1).to(dtype or own.dtype))
