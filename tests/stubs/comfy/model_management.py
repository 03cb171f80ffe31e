"""ComfyUI's memory management with one device, whose memory is a number that a test may set."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from comfy.model_patcher import ModelPatcher

DEVICE = torch.device("cpu")
memory = 2**40  # bytes of the device
current_loaded_models: list[LoadedModel] = []
asked: list[int] = []  # the extra memory, besides the weights, that each load requested
interrupt_after: int | None = None  # looks at the cancel button until it is found pressed


class InterruptProcessingException(Exception):
    pass


class LoadedModel:
    """A model on the device; its patcher belongs to whoever made it, and may be gone."""

    def __init__(self, patcher: ModelPatcher) -> None:
        self._patcher = weakref.ref(patcher)

    @property
    def model(self) -> ModelPatcher | None:
        return self._patcher()


def throw_exception_if_processing_interrupted() -> None:
    global interrupt_after
    if interrupt_after is None:
        return
    interrupt_after -= 1
    if interrupt_after <= 0:
        interrupt_after = None  # ComfyUI, too, forgets it as it raises
        raise InterruptProcessingException


def get_torch_device() -> torch.device:
    return DEVICE


def intermediate_device() -> torch.device:
    return DEVICE


def text_encoder_offload_device() -> torch.device:
    return DEVICE


def soft_empty_cache(force: bool = False) -> None:
    pass


def load_models_gpu(models: Sequence[ModelPatcher], memory_required: int = 0) -> None:
    """Moves models to the device, and others away if memory is short."""
    asked.append(memory_required)
    loaded = [item.model for item in current_loaded_models]
    new = [patcher for patcher in models if patcher not in loaded]
    needed = memory_required + sum(patcher.model_size() for patcher in new)
    free_memory(needed, DEVICE, [item for item in current_loaded_models if item.model in models])
    for patcher in new:
        patcher.move()
        current_loaded_models.insert(0, LoadedModel(patcher))


def free_memory(
    memory_required: float, device: torch.device, keep_loaded: Sequence[LoadedModel] = ()
) -> list[LoadedModel]:
    """Moves models away, those used longest ago first, until so much is free."""
    current_loaded_models[:] = [item for item in current_loaded_models if item.model is not None]
    gone = []
    for item in reversed(list(current_loaded_models)):
        used = sum(other.model.model_size() for other in current_loaded_models if other.model)
        if memory - used >= memory_required or item in keep_loaded or item.model is None:
            continue
        item.model.move()
        current_loaded_models.remove(item)
        gone.append(item)
    return gone


def unload_all_models() -> None:
    free_memory(1e30, DEVICE)
