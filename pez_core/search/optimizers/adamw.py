"""AdamW (arXiv 1711.05101) for one tensor, as `torch.optim.AdamW` computes it.

torch's own imports its compiler, which takes 1.5 s, and keeps its step on the host. Here the step
is a number on the device, so that a CUDA graph can hold an update (`cuda_graph`).
"""

from __future__ import annotations

import torch
from torch import Tensor

BETAS, EPS = (0.9, 0.999), 1e-8  # torch's defaults, with which the authors' code runs


class AdamW:
    """Updates a tensor in place from its gradients."""

    def __init__(self, value: Tensor, *, lr: float, weight_decay: float) -> None:
        """value: any shape; it and the optimiser's state have one precision."""
        self._value, self._lr, self._weight_decay = value, lr, weight_decay
        self._mean, self._square = torch.zeros_like(value), torch.zeros_like(value)
        self._step = torch.zeros((), dtype=value.dtype, device=value.device)

    @torch.no_grad()
    def step(self, gradient: Tensor) -> None:
        """One update. gradient: the shape of the value."""
        first, second = BETAS
        self._step += 1
        self._value.mul_(1 - self._lr * self._weight_decay)
        self._mean.lerp_(gradient, 1 - first)
        self._square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
        # Not `first**step`: in some versions it copies the base to the device, which waits.
        size = self._lr / (1 - torch.pow(first, self._step))
        root = (1 - torch.pow(second, self._step)).sqrt()
        scale = (self._square.sqrt() / root).add_(EPS)
        self._value.sub_(self._mean.div(scale).mul_(size))
