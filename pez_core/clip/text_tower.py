"""CLIP's text encoder as one forward over plain tensors, for every source of weights.

CLIP's text encoder (arXiv 2103.00020 §2.4) is a causal transformer. Its feature is read at the
end-of-text token, so no token after it can change the result, and sequences are cut there: 18
positions instead of 77 for a 16-token prompt. Activations are two-dimensional, (sequences ·
positions, width): with three dimensions the backward of a linear layer becomes batched products
that copy the weights. Weights are frozen: no gradient of them is computed. PyTorch's own attention
is used for short sequences on a CPU as well: as explicit products and a softmax, 16 sequences of 18
positions took 1.05 to 1.3 times as long, forward and backward (torch 2.15, float32, one core).

But: there is no padding. All sequences of one call of `features` have the same length; `encode_ids`
groups sequences by length.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..compute.inference import make_normal
from ..compute.linear import linear
from ..compute.precision import arithmetic_of
from .block import Block, norm

BATCH_SIZE = 32  # sequences in one pass without gradients


def no_op() -> None:
    """No-op callback."""


class Tower(ABC):
    """A text encoder as a search uses it: one tower, or several (`ensemble`).

    token_embedding: (V, D) the table of all tokens.
    """

    token_embedding: Tensor

    @property
    def device(self) -> torch.device:
        return self.token_embedding.device

    @property
    @abstractmethod
    def widths(self) -> tuple[int, ...]:
        """The width of each tower's part of a row of the table; they sum to D."""

    @property
    @abstractmethod
    def embed_dim(self) -> int:
        """E, the dimension of a feature."""

    @abstractmethod
    def features(self, embeddings: Tensor) -> Tensor:
        """Unit features of token embeddings, read at the last position.

        embeddings: (R, L, D), start token first, end token last, without positional embeddings →
        (R, E), float32 or wider.
        Differentiable with respect to `embeddings`.
        """

    @abstractmethod
    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Tower:
        """The tower on a device. `dtype` applies to blocks and projection; embeddings stay in
        float32 or wider."""

    def for_search(self) -> Tower:
        """The tower prepared for many gradients. It may take up to twice the memory."""
        return self

    @abstractmethod
    def map(self, change: Callable[[Tensor], Tensor]) -> Tower:
        """The tower with `change` applied to every tensor, always in the same order."""

    def encode_ids(
        self, sequences: Sequence[Sequence[int]], check_interrupt: Callable[[], None] = no_op
    ) -> Tensor:
        """Unit features of N sequences of token ids, (N, E). The ids include start and end; lengths
        may differ. check_interrupt: called before every pass of BATCH_SIZE sequences, which bounds
        the memory."""
        result = self.token_embedding.new_empty(len(sequences), self.embed_dim)
        by_length: dict[int, list[int]] = {}
        for index, sequence in enumerate(sequences):
            by_length.setdefault(len(sequence), []).append(index)
        with torch.no_grad():
            for indices in by_length.values():
                for first in range(0, len(indices), BATCH_SIZE):
                    batch = indices[first : first + BATCH_SIZE]
                    check_interrupt()
                    ids = torch.tensor([list(sequences[i]) for i in batch], device=self.device)
                    result[batch] = self.features(self.token_embedding[ids])
        return result


@dataclass(frozen=True)
class TextTower(Tower):
    """A CLIP text encoder: tables (V, D) and (C, D), blocks, and the projection (D, E)."""

    token_embedding: Tensor
    positional_embedding: Tensor
    blocks: tuple[Block, ...]
    ln_final_weight: Tensor
    ln_final_bias: Tensor
    text_projection: Tensor
    heads: int
    activation: str
    arithmetic: torch.dtype | None = None  # dtype of the activations; None: the projection's

    def __post_init__(self) -> None:
        make_normal(self)

    @property
    def widths(self) -> tuple[int, ...]:
        return (self.token_embedding.shape[1],)

    @property
    def embed_dim(self) -> int:
        return self.text_projection.shape[1]

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> TextTower:
        """The tower on a device. `dtype` applies to blocks and projection, which keep theirs if it
        is omitted, and to the arithmetic if the device computes fast in it. Embeddings stay in
        float32 or wider."""
        moved = self.map(lambda tensor: tensor.to(device, dtype))
        return replace(
            moved,
            token_embedding=self.token_embedding.to(device),
            positional_embedding=self.positional_embedding.to(device),
            arithmetic=arithmetic_of(device, dtype) if dtype else self.arithmetic,
        )

    def map(self, change: Callable[[Tensor], Tensor]) -> TextTower:
        blocks = tuple(
            Block(
                **{
                    f.name: change(getattr(b, f.name))
                    for f in fields(Block)
                    if f.default is MISSING
                }
            )
            for b in self.blocks
        )
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        tensors: dict[str, Any] = {n: change(t) for n, t in own.items() if isinstance(t, Tensor)}
        return replace(self, blocks=blocks, **tensors)

    def for_search(self) -> TextTower:
        weight = self.text_projection
        if weight.device.type != "cpu" or weight.dtype != torch.float32:
            return self
        names = ("qkv", "out", "fc", "proj")
        blocks = [
            replace(b, **{f"{n}_back": getattr(b, f"{n}_weight").T.contiguous() for n in names})
            for b in self.blocks
        ]
        return replace(self, blocks=tuple(blocks))

    def features(self, embeddings: Tensor) -> Tensor:
        count, length, width = embeddings.shape
        x = embeddings + self.positional_embedding[:length]
        x = x.reshape(count * length, width)  # (R·L, D)
        x = x.to(self.arithmetic or self.text_projection.dtype)
        for block in self.blocks[:-1]:
            x = block.attend(x, count, length, self.heads)
            x = block.think(x, self.activation)
        x = self.blocks[-1].attend_last(x, count, length, self.heads)  # (R, D)
        x = self.blocks[-1].think(x, self.activation)
        x = norm(x, self.ln_final_weight, self.ln_final_bias)
        return F.normalize(linear(x, self.text_projection.T).to(embeddings.dtype), dim=-1)
