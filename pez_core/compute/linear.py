"""Linear layers with frozen weights. A search spends nearly all its time here.

On a CPU, PyTorch computes float32 products with MKL. oneDNN, which is built in as well, computes
the small products of a search 2.2 times as fast on an AMD processor
(benchmarks/speed/step_speed.py). It is used if it is available. No gradient of the weight is
computed, and no activation is kept for one.

The backward multiplies by the transposed weight. With a transposed view this takes 1.5 to 1.8 times
as long as the forward on a Zen 2 processor. With a second, contiguous copy of the transposed weight
(`back`) it takes as long as the forward.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x·Wᵀ + b without a gradient. x: (N, K); weight: (M, K), or a transposed view → (N, M).

    The product is computed in the dtype of `x`. A weight of another dtype is converted for this
    call.
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
    """x·Wᵀ + b, differentiable with respect to `x` alone. back: Wᵀ, (K, M), for the backward; a
    view of `weight` if omitted."""
    result: Tensor = _FrozenLinear.apply(x, weight, bias, back)
    return result


class _FrozenLinear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, back: Tensor | None
    ) -> Tensor:
        ctx.back = weight.T if back is None else back  # frozen, so autograd need not track it
        return product(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        return product(grad, ctx.back), None, None, None


def _has_onednn() -> bool:
    """Whether this build offers oneDNN's linear layer.

    The operator is not part of torch's public interface, so a build without it must work as well.
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
