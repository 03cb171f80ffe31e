"""Models under ComfyUI's memory management: loaded before a run, moved away when others need room.

The two used last of each kind are kept, so that a second run reads no file.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import comfy.model_management as mm
import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor, nn

from ...pez_core.clip.architecture import Architecture
from ...pez_core.clip.text_tower import Tower
from ...pez_core.config import SearchConfig
from ...pez_core.guard.neutral import Calibration
from ...pez_core.search.refine import ON_GPU, WIDEST

KEPT = 2


class TowerModule(nn.Module):
    """A text tower, or several as one, as one flat module, so that it is moved as a whole.

    calibration: of the guard for this tower, once it has been computed.
    """

    def __init__(self, tower: Tower) -> None:
        super().__init__()
        self.calibration: Calibration | None = None

        def register(tensor: Tensor) -> Tensor:
            name = f"tensor_{len(self._parameters)}"
            self.register_parameter(name, nn.Parameter(tensor, requires_grad=False))
            return tensor.to("meta")

        self._shape = tower.map(register)

    def tower(self) -> Tower:
        """The tower over the tensors where they are now, without a copy."""
        tensors = iter(self._parameters.values())
        return self._shape.map(lambda _: next(tensors).detach())  # type: ignore[union-attr]


class LRUCache:
    """The modules used last, by key, each in a patcher that ComfyUI can move."""

    def __init__(self) -> None:
        self._items: OrderedDict[Hashable, tuple[ModelPatcher, Callable[[], Any]]] = OrderedDict()

    def get(self, key: Hashable, build: Callable[[], nn.Module], owner: Any = None) -> ModelPatcher:
        """The module of a key, built if it is not in the cache. owner: the object that the module
        copies; the module is dropped when its owner is gone."""
        for old in [k for k, (_, alive) in self._items.items() if alive() is None]:
            del self._items[old]
        if key not in self._items:
            while len(self._items) >= KEPT:  # before building, which needs memory itself
                self._items.popitem(last=False)
            with torch.inference_mode(False):
                patcher = ModelPatcher(
                    build(),
                    load_device=mm.get_torch_device(),
                    offload_device=mm.text_encoder_offload_device(),
                )
            self._items[key] = patcher, (lambda: True) if owner is None else weakref.ref(owner)
        self._items.move_to_end(key)
        return self._items[key][0]

    def __iter__(self) -> Iterator[nn.Module]:
        return iter([patcher.model for patcher, _ in self._items.values()])

    def __len__(self) -> int:
        return len(self._items)


@torch.inference_mode(False)
def load(patcher: ModelPatcher, working_memory: int = 0) -> Any:
    """The module of a patcher on its device, with room for so many more bytes."""
    _thaw(patcher.model)
    mm.load_models_gpu([patcher], memory_required=working_memory)
    # Where memory is short ComfyUI leaves out what its own layers would fetch as they run.
    return patcher.model.to(patcher.load_device)


@torch.inference_mode(False)
def _thaw(module: nn.Module) -> None:
    """Makes tensors normal again that another node has moved in inference mode."""
    for part in module.modules():
        for name, parameter in list(part._parameters.items()):
            if parameter is not None and parameter.is_inference():
                part._parameters[name] = nn.Parameter(parameter.clone(), requires_grad=False)
        for name, buffer in list(part._buffers.items()):
            if buffer is not None and buffer.is_inference():
                part._buffers[name] = buffer.clone()


def search_memory(arch: Architecture, config: SearchConfig, length: int, tokens: int) -> int:
    """Bytes that a search with one encoder needs in addition to the weights: activations or trial
    swaps, two tables, and a second copy of the blocks in half precision."""
    moved = config.restarts * length * arch.width * arch.layers * 24  # values kept for the gradient
    trials = tokens * config.swaps * WIDEST * length * arch.width
    tried = 12 * min(ON_GPU, trials)
    table = 2 * arch.vocab_size * arch.width
    blocks = 12 * arch.layers * arch.width**2
    return 4 * (max(moved, tried) + table) + 2 * blocks


def out_of_memory(error: BaseException) -> bool:
    """Whether a device has no memory left; some backends say so only in their message."""
    return isinstance(error, torch.cuda.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "out of memory" in str(error).lower()
    )
