"""Trains with several single-threaded processes that share every batch.

Small layers gain little from more threads, and are slow when another program needs a core, because
each layer waits for its slowest thread. Replicas synchronise only a few times in a step.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as distributed
from torch import Tensor

PATIENCE = timedelta(hours=6)
"""The time for which a replica waits for the others, which may be paused."""


class _Gather(torch.autograd.Function):
    """Joins equal shares in order of rank; a share's gradient is summed over all processes."""

    @staticmethod
    def forward(ctx, share: Tensor) -> Tensor:
        shares = [torch.empty_like(share) for _ in range(distributed.get_world_size())]
        distributed.all_gather(shares, share.contiguous())
        return torch.cat(shares)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        gradient = gradient.contiguous().clone()
        distributed.all_reduce(gradient)
        return gradient.chunk(distributed.get_world_size())[distributed.get_rank()]


class Replicas:
    """This process's rank among `size` equal processes. A size of 1 needs no communication."""

    def __init__(self, rank: int = 0, size: int = 1, meeting: Path | None = None) -> None:
        self.rank = rank
        self.size = size
        if size > 1:
            distributed.init_process_group(
                "gloo",
                init_method=f"file://{meeting}",
                rank=rank,
                world_size=size,
                timeout=PATIENCE,
            )

    def share_of(self, count: int) -> slice:
        """This process's rows of a batch of `count`; all shares are equal."""
        own = count // self.size
        return slice(self.rank * own, (self.rank + 1) * own)

    def gather(self, features: Tensor) -> Tensor:
        """Features (B, D) of all processes in order of rank, with gradient."""
        return _Gather.apply(features) if self.size > 1 else features

    def require_same(self, step: int) -> None:
        """Raise RuntimeError unless all processes are at the same `step`."""
        if self.size == 1:
            return
        steps = [torch.zeros(1, dtype=torch.long) for _ in range(self.size)]
        distributed.all_gather(steps, torch.tensor([step]))
        found = [int(other) for other in steps]
        if len(set(found)) > 1:
            raise RuntimeError(
                f"the replicas' checkpoints are at steps {found}, since the run was stopped "
                "between two saves; delete them all to start again"
            )

    def average_gradients(self, weights: Iterable[torch.nn.Parameter]) -> None:
        """Replace every gradient by its mean over the processes, in one exchange."""
        if self.size == 1:
            return
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= self.size
        parts = flat.split([gradient.numel() for gradient in gradients])
        for gradient, mean in zip(gradients, parts, strict=True):
            gradient.copy_(mean.view_as(gradient))

    def close(self) -> None:
        """Leave the group."""
        if self.size > 1:
            distributed.destroy_process_group()
