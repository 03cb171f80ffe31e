"""Attention in every precision against the definition, and each way the block takes through it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pez_core.clip.block import attention

SHAPE = (3, 2, 7, 8)  # sequences, heads, positions, channels
CLOSE = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 3e-2}

pytestmark = pytest.mark.own_autograd


def defined(q: Tensor, k: Tensor, v: Tensor, causal: bool) -> Tensor:
    """Σⱼ softmax(q·kⱼ / √C)ⱼ · vⱼ, position by position (arXiv 1706.03762 §3.2.1)."""
    results = []
    for place in range(q.shape[2]):
        seen = place + 1 if causal else k.shape[2]
        weights = (q[:, :, place, None] * k[:, :, :seen]).sum(-1) / q.shape[-1] ** 0.5
        results.append((weights.softmax(-1)[..., None] * v[:, :, :seen]).sum(-2))
    return torch.stack(results, dim=2)


def inputs(queries: int) -> list[Tensor]:
    """Numbers that every precision holds exactly, so that all begin alike."""
    generator = torch.Generator().manual_seed(0)
    count, heads, length, channels = SHAPE
    return [
        torch.randn(count, heads, n, channels, generator=generator).bfloat16().double()
        for n in (queries, length, length)
    ]


@pytest.mark.parametrize("dtype", CLOSE)
@pytest.mark.parametrize("queries", [SHAPE[2], 1])
def test_values_and_gradients_are_those_of_the_definition(dtype: torch.dtype, queries: int) -> None:
    """With a causal mask for all positions, and without one for the last alone."""
    causal = queries > 1
    exact = [t.requires_grad_() for t in inputs(queries)]
    lower = [t.to(dtype).detach().requires_grad_() for t in inputs(queries)]
    want, have = defined(*exact, causal), attention(*lower, causal=causal)
    assert have.dtype == dtype
    torch.testing.assert_close(have.double(), want, atol=CLOSE[dtype], rtol=CLOSE[dtype])
    wanted = torch.autograd.grad(want.square().sum(), exact)
    found = torch.autograd.grad(have.square().sum(), lower)
    for have, want in zip(found, wanted, strict=True):
        torch.testing.assert_close(have.double(), want, atol=5 * CLOSE[dtype], rtol=CLOSE[dtype])
