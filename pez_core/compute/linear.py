"""Linear layers with frozen weights: the place where nearly all time of a search is spent.

PyTorch sends float32 products on a CPU to MKL. oneDNN, which is built in as well, does the small
ones of a search 2.2 times as fast on an AMD processor (benchmarks/speed/step_speed.py), so it
is used where it is there. No gradient is made for the weight, and no activation kept for one.

The backward multiplies by the transposed weight. Through a transposed view that takes 1.5 to 1.8
times as long as the forward on a Zen 2 processor, and no longer where the weight is laid out in
memory a second time: `back`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x·Wᵀ + b without a gradient. x: (N, K); weight: (M, K), or a transposed view → (N, M).

    The arithmetic is that of `x`: a weight stored otherwise is converted for this one product.
    """
    if weight.dtype != x.dtype:
        weight = weight.to(x.dtype)
        bias = None if bias is None else bias.to(x.dtype)
    if x.device.type == "cpu" and x.dtype == torch.float32 and _ONEDNN:
        result: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
        return result
    return F.linear(x, weight, bias)


def linear(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, back: Tensor | None = None
) -> Tensor:
    """The same, differentiable with respect to `x` alone. back: Wᵀ, (K, M), for the backward; a
    view of `weight` if left out."""
    result: Tensor = _FrozenLinear.apply(x, weight, bias, back)
    return result


class _FrozenLinear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, back: Tensor | None
    ) -> Tensor:
        ctx.back = weight.T if back is None else back  # frozen: autograd need not watch over it
        return product(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        return product(grad, ctx.back), None, None, None


def _has_onednn() -> bool:
    """Whether this build offers oneDNN's linear layer.

    Its operator is no part of torch's public interface, so a build without it must do as well.
    """
    if not torch.backends.mkldnn.is_available():
        return False
    x, weight = torch.eye(4)[:2], torch.arange(12.0).view(3, 4)
    try:
        result = torch.ops.mkldnn._linear_pointwise(
            x, weight.T.contiguous().T, None, "none", [], ""
        )
    except (AttributeError, RuntimeError, TypeError):
        return False
    return bool(torch.equal(result, x @ weight.T))


with torch.inference_mode(False):
    _ONEDNN = _has_onednn()
