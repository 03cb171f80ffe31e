"""AdamW (arXiv 1711.05101) for one tensor, as `torch.optim.AdamW` computes it.

torch's class imports its compiler, which takes 1.5 s, and keeps its step count on the host. Here
the count is on the device, so that a CUDA graph can record an update (`cuda_graph`).
"""

from __future__ import annotations

import torch
from torch import Tensor

BETAS, EPS = (0.9, 0.999), 1e-8  # torch's defaults, with which the authors' code runs


class AdamW:
    """The state of AdamW for one tensor, which it updates in place."""

    def __init__(self, value: Tensor, *, lr: float, weight_decay: float) -> None:
        """value: of any shape. The optimiser's state has its precision."""
        self._value, self._lr, self._weight_decay = value, lr, weight_decay
        self._mean, self._square = torch.zeros_like(value), torch.zeros_like(value)
        self._step = torch.zeros((), dtype=value.dtype, device=value.device)

    @torch.no_grad()
    def step(self, gradient: Tensor) -> None:
        """Updates the value. gradient: of the value's shape."""
        first, second = BETAS
        self._step += 1
        self._value.mul_(1 - self._lr * self._weight_decay)
        self._mean.lerp_(gradient, 1 - first)
        self._square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
        # Not `first**step`: some versions copy the base to the device, which waits for it.
        size = self._lr / (1 - torch.pow(first, self._step))
        root = (1 - torch.pow(second, self._step)).sqrt()
        scale = (self._square.sqrt() / root).add_(EPS)
        self._value.sub_(self._mean.div(scale).mul_(size))
