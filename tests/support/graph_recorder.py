"""A recorder of steps with a CUDA graph's rules, on a CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only


class Recorded(TorchDispatchMode):
    """The operations of one run, to be done again on the very same tensors, as a graph does.

    Whatever Python computed in between is not done again.
    """

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        # Aliases keep the shapes of now: an operation may change those of its operand in place.
        operands = tree_map_only(Tensor, Tensor.detach, (args, kwargs))
        result = func(*args, **kwargs)
        if torch.Tag.inplace_view not in func.tags:
            before = tree_map_only(Tensor, Tensor.detach, result)
            self.operations.append((func, *operands, before))
        return result

    def replay(self) -> None:
        with torch.no_grad():
            for func, args, kwargs, before in self.operations:
                after = tree_leaves(func(*args, **kwargs))
                for old, new in zip(tree_leaves(before), after, strict=True):
                    if isinstance(old, Tensor) and old.data_ptr() != new.data_ptr():
                        old.copy_(new)


def record(step: Callable[[], None]) -> Callable[[], None]:
    """Records a step by running it, so the first replay, which would do it, is left out."""
    recorded = Recorded()
    with recorded:
        step()
    waiting = [recorded.replay]

    def replay() -> None:
        if waiting:
            waiting.clear()
        else:
            recorded.replay()

    return replay


def run(step: Callable[[], None]) -> None:
    step()
