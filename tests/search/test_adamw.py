"""Our AdamW against torch's."""

from __future__ import annotations

import pytest
import torch

from pez_core.search.optimizers.adamw import AdamW


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("lr", "weight_decay"), [(0.1, 0.1), (0.003, 0.0)])
def test_it_moves_a_tensor_as_torchs_does(
    dtype: torch.dtype, lr: float, weight_decay: float
) -> None:
    """To rounding over 300 steps, with gradients of all sizes, none at all included."""
    generator = torch.Generator().manual_seed(0)
    ours = torch.randn(3, 4, 5, generator=generator, dtype=dtype)
    theirs = torch.nn.Parameter(ours.clone())
    optimizer = AdamW(ours, lr=lr, weight_decay=weight_decay)
    torchs = torch.optim.AdamW([theirs], lr=lr, weight_decay=weight_decay)
    start = ours.clone()
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    for step in range(300):
        gradient = torch.randn(3, 4, 5, generator=generator, dtype=dtype) * 10.0 ** (step % 9 - 6)
        gradient[0, 0] = 0
        optimizer.step(gradient)
        theirs.grad = gradient
        torchs.step()
        torch.testing.assert_close(ours, theirs.detach(), atol=tolerance, rtol=tolerance)
    assert (ours - start).abs().max() > lr
