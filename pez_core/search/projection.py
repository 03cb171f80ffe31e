"""Proj_E of the paper (§3): each continuous embedding goes to its nearest token by cosine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ..compute.linear import product
from ..errors import VocabularyError

NEAREST = 4  # tokens that half precision may take for one another, compared once more


@dataclass(frozen=True)
class TokenTable:
    """The token embeddings a search may use, normalised once.

    ids: (A,) token ids. rows: (A, D) their embeddings. directions: (A, D) the rows at unit length,
    in the precision to search in.
    """

    ids: Tensor
    rows: Tensor
    directions: Tensor

    def products(self, embeddings: Tensor) -> Tensor:
        """The products with every direction, in their precision: cosines times the length of the
        embedding, which scales a whole line and does not change its maximum. (N, D) → (N, A)"""
        return product(embeddings.to(self.directions.dtype), self.directions)

    def nearest(self, embeddings: Tensor) -> Tensor:
        """The tokens nearest by cosine, as indices into `ids`. embeddings: (..., D) → (...)."""
        flat = embeddings.reshape(-1, embeddings.shape[-1])  # (N, D)
        cosines = self.products(flat)
        if self.directions.dtype == self.rows.dtype:
            return cosines.argmax(dim=-1).view(embeddings.shape[:-1])
        # Half precision is a third of the time, but rounds near tokens to the same cosine.
        few = cosines.topk(min(NEAREST, len(self.ids))).indices  # (N, NEAREST)
        rows = self.rows[few]  # (N, NEAREST, D)
        best = ((rows @ flat[..., None]).squeeze(-1) / rows.norm(dim=-1)).argmax(dim=-1)
        return few.gather(-1, best[:, None]).view(embeddings.shape[:-1])


@torch.inference_mode(False)
def token_table(
    embedding: Tensor,
    allowed: Tensor,
    widths: Sequence[int] | None = None,
    dtype: torch.dtype | None = None,
) -> TokenTable:
    """The table of the allowed ids. embedding: (V, D); allowed: (A,) ids. dtype: the precision to
    look for the nearest in, that of the embedding if left out.

    A row of zeros (a token the model never trained) has no direction, so it can be nearest to
    nothing: it is left out. widths: of the tables that stand side by side in `embedding`; a row
    that is zeros in one of them is left out as well.
    Raises VocabularyError when no row is left.
    """
    allowed = allowed.to(embedding.device)
    rows = embedding[allowed]
    parts = torch.split(rows, list(widths or rows.shape[1:]), dim=1)
    trained = torch.stack([part.norm(dim=1) > 0 for part in parts]).all(dim=0)
    if not bool(trained.any()):
        raise VocabularyError(
            f"none of the {len(allowed)} allowed tokens is known to this model: allow more words"
        )
    if not bool(trained.all()):
        allowed, rows = allowed[trained], rows[trained]
    return TokenTable(allowed, rows, F.normalize(rows, dim=-1).to(dtype or rows.dtype))
