"""One block of CLIP's text transformer (arXiv 2103.00020 §2.4): its weights and its forward.

Activations are two-dimensional; see `text_tower`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ..compute.inference import make_normal
from ..compute.linear import linear


def quick_gelu(x: Tensor) -> Tensor:
    """OpenAI's approximation of GELU. Its CLIP models were trained with it."""
    return x * torch.sigmoid(1.702 * x)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"gelu": F.gelu, "quick_gelu": quick_gelu}


def attention(q: Tensor, k: Tensor, v: Tensor, *, causal: bool = False) -> Tensor:
    """Softmax attention. q: (R, H, Q, C); k, v: (R, H, L, C) → (R, H, Q, C). causal: requires Q =
    L.

    It uses PyTorch's own kernel, except for bfloat16 on a CPU. There the kernel's backward takes
    six times as long as explicit products (torch 2.15, 16 sequences of 18 positions, 5.3 against
    0.8 ms).
    """
    if q.device.type != "cpu" or q.dtype != torch.bfloat16:
        return F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5  # (R, H, Q, L)
    if causal:
        scores = scores + scores.new_full(scores.shape[-2:], -torch.inf).triu(1)
    result: Tensor = scores.softmax(dim=-1) @ v
    return result


@dataclass(frozen=True)
class Block:
    """One pre-norm transformer block of width D and MLP width M."""

    ln_1_weight: Tensor  # (D,)
    ln_1_bias: Tensor  # (D,)
    qkv_weight: Tensor  # (3D, D): query, key, value
    qkv_bias: Tensor  # (3D,)
    out_weight: Tensor  # (D, D)
    out_bias: Tensor  # (D,)
    ln_2_weight: Tensor  # (D,)
    ln_2_bias: Tensor  # (D,)
    fc_weight: Tensor  # (M, D)
    fc_bias: Tensor  # (M,)
    proj_weight: Tensor  # (D, M)
    proj_bias: Tensor  # (D,)
    # Contiguous copies of the transposed matrices for the backward; see `compute.linear`.
    qkv_back: Tensor | None = None  # (D, 3D)
    out_back: Tensor | None = None
    fc_back: Tensor | None = None  # (D, M)
    proj_back: Tensor | None = None

    def __post_init__(self) -> None:
        make_normal(self)

    def attend(self, x: Tensor, count: int, length: int, heads: int) -> Tensor:
        """Causal self-attention with its residual. x: (R·L, D) → (R·L, D), with R = `count`, L =
        `length`."""
        width = x.shape[1]
        h = norm(x, self.ln_1_weight, self.ln_1_bias)
        qkv = linear(h, self.qkv_weight, self.qkv_bias, self.qkv_back)  # (R·L, 3D)
        qkv = qkv.view(count, length, 3, heads, width // heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (R, H, L, D/H)
        h = attention(q, k, v, causal=True)
        h = h.transpose(1, 2).reshape(count * length, width)
        return x + linear(h, self.out_weight, self.out_bias, self.out_back)

    def attend_last(self, x: Tensor, count: int, length: int, heads: int) -> Tensor:
        """The same for the last position alone, the only one that is read after the last block.
        (R·L, D) → (R, D)."""
        width = x.shape[1]
        h = norm(x, self.ln_1_weight, self.ln_1_bias)
        last = h.view(count, length, width)[:, -1]  # (R, D)
        q = linear(last, self.qkv_weight[:width], self.qkv_bias[:width])
        kv = linear(h, self.qkv_weight[width:], self.qkv_bias[width:])  # (R·L, 2D)
        q = q.view(count, 1, heads, width // heads).transpose(1, 2)  # (R, H, 1, D/H)
        k, v = kv.view(count, length, 2, heads, width // heads).permute(2, 0, 3, 1, 4)
        h = attention(q, k, v).reshape(count, width)
        residual = x.view(count, length, width)[:, -1]
        return residual + linear(h, self.out_weight, self.out_bias, self.out_back)

    def think(self, x: Tensor, activation: str) -> Tensor:
        """The MLP with its residual. x: (N, D) → (N, D)."""
        h = norm(x, self.ln_2_weight, self.ln_2_bias)
        h = linear(h, self.fc_weight, self.fc_bias, self.fc_back)
        h = ACTIVATIONS[activation](h)
        return x + linear(h, self.proj_weight, self.proj_bias, self.proj_back)


def norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Layer normalisation in the precision of x. x: (N, D); weight, bias: (D,) → (N, D)"""
    return F.layer_norm(x, x.shape[-1:], weight.to(x.dtype), bias.to(x.dtype))
