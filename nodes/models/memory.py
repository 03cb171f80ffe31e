"""Models under ComfyUI's memory management: loaded before a run, moved away when others need room.

Of each kind the two used last are kept, so that a second run loads nothing.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

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
Module = TypeVar("Module", bound=nn.Module)


class HeldTower(nn.Module):
    """A text tower, or several as one, as one flat module, so that it is moved as a whole."""

    def __init__(self, tower: Tower) -> None:
        super().__init__()

        def hold(tensor: Tensor) -> Tensor:
            name = f"tensor_{len(self._parameters)}"
            self.register_parameter(name, nn.Parameter(tensor, requires_grad=False))
            return tensor.to("meta")

        self._shape = tower.map(hold)

    def tower(self) -> Tower:
        """The tower over the tensors where they are now, without a copy."""
        tensors = iter(self._parameters.values())
        return self._shape.map(lambda _: next(tensors).detach())  # type: ignore[union-attr]


class Managed(Generic[Module]):
    """A module whose place ComfyUI decides on."""

    def __init__(self, module: Module, owner: Any = None) -> None:
        """owner: what the module is a copy of; when that is gone, so is the use of the copy."""
        self._module = module
        self.calibration: Calibration | None = None  # of this tower, once something needs it
        self._owner = None if owner is None else weakref.ref(owner)
        self._patcher = ModelPatcher(
            module,
            load_device=mm.get_torch_device(),
            offload_device=mm.text_encoder_offload_device(),
        )

    @property
    def device(self) -> torch.device:
        device: torch.device = self._patcher.load_device
        return device

    @property
    def stale(self) -> bool:
        return self._owner is not None and self._owner() is None

    @torch.inference_mode(False)
    def load(self, working_memory: int = 0) -> Module:
        """The module on its device, with room for so many bytes beside it."""
        _thaw(self._module)
        mm.load_models_gpu([self._patcher], memory_required=working_memory)
        # Where memory is short ComfyUI leaves behind what its own layers would fetch as they run.
        return self._module.to(self.device)


class Shelf(Generic[Module]):
    """The managed modules used last, by key."""

    def __init__(self) -> None:
        self._items: OrderedDict[Hashable, Managed[Module]] = OrderedDict()

    def get(self, key: Hashable, build: Callable[[], Module], owner: Any = None) -> Managed[Module]:
        """The module of a key, built if it is not there."""
        for old in [k for k, item in self._items.items() if item.stale]:
            del self._items[old]
        if key not in self._items:
            while len(self._items) >= KEPT:  # before building, which takes memory itself
                self._items.popitem(last=False)
            with torch.inference_mode(False):
                self._items[key] = Managed(build(), owner)
        self._items.move_to_end(key)
        return self._items[key]


@torch.inference_mode(False)
def _thaw(module: nn.Module) -> None:
    """Makes normal again what another node's turn has moved in inference mode."""
    for part in module.modules():
        for name, parameter in list(part._parameters.items()):
            if parameter is not None and parameter.is_inference():
                part._parameters[name] = nn.Parameter(parameter.clone(), requires_grad=False)
        for name, buffer in list(part._buffers.items()):
            if buffer is not None and buffer.is_inference():
                part._buffers[name] = buffer.clone()


def search_memory(arch: Architecture, config: SearchConfig, length: int, tokens: int) -> int:
    """Bytes that a search with one encoder needs beside the weights: activations, or trial swaps,
    two tables, and the blocks once more in half precision."""
    moved = config.restarts * length * arch.width * arch.layers * 24  # values kept for the gradient
    trials = tokens * config.swaps * WIDEST * length * arch.width
    tried = 12 * min(ON_GPU, trials)
    table = 2 * arch.vocab_size * arch.width
    blocks = 12 * arch.layers * arch.width**2
    return 4 * (max(moved, tried) + table) + 2 * blocks


def out_of_memory(error: BaseException) -> bool:
    """Whether a device has no memory left; some backends say so only in words."""
    return isinstance(error, torch.cuda.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "out of memory" in str(error).lower()
    )
