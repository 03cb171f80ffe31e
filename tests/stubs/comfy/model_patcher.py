"""ComfyUI's holder of a model: where it is, and the LoRAs on it."""

from __future__ import annotations

import uuid
from typing import Any

import torch
from torch import nn


class ModelPatcher:
    def __init__(
        self,
        model: nn.Module,
        load_device: torch.device,
        offload_device: torch.device,
        size: int = 0,
        weight_inplace_update: bool = False,
    ) -> None:
        self.model, self.load_device, self.offload_device = model, load_device, offload_device
        self.size, self.patches = size, dict[str, list[Any]]()
        self.patches_uuid = uuid.uuid4()

    def model_size(self) -> int:
        tensors = self.model.state_dict().values()
        return self.size or sum(tensor.nbytes for tensor in tensors)

    def move(self) -> None:
        """To the device or away from it: as there, the tensors are new ones, and inference tensors
        if somebody's turn in inference mode moves them."""
        for part in self.model.modules():
            for name, parameter in part._parameters.items():
                if parameter is not None:
                    moved = parameter.detach().clone()
                    part._parameters[name] = nn.Parameter(moved, requires_grad=False)
            for name, buffer in part._buffers.items():
                if buffer is not None:
                    part._buffers[name] = buffer.detach().clone()

    def add_patches(self, patches: dict[str, Any], strength: float = 1.0) -> None:
        """patches: ("diff", (tensor,)) by the name of the weight."""
        known = self.model.state_dict()
        for name, patch in patches.items():
            if name in known:
                self.patches.setdefault(name, []).append((strength, patch, 1.0, None, None))
        self.patches_uuid = uuid.uuid4()

    def get_key_patches(self, filter_prefix: str | None = None) -> dict[str, list[Any]]:
        """Of every weight: itself with how to convert it, then the LoRAs on it."""

        def convert(weight: torch.Tensor, inplace: bool = False) -> torch.Tensor:
            return weight

        state = self.model.state_dict()
        return {
            name: [(weight, convert), *self.patches.get(name, [])]
            for name, weight in state.items()
            if name.startswith(filter_prefix or "")
        }


class ModelPatcherDynamic(ModelPatcher):
    """As DynamicVRAM has it on a GPU, read in ComfyUI 0.33.0: `prepare` (its `load`) leaves large
    weights on the CPU, where each layer fetches and patches its own as it runs. Small ones are
    patched and cast where they are, and `backup` has the originals."""

    SMALL = 16 * 1024  # bytes of a layer

    def __init__(self, model: nn.Module, load_device: Any, offload_device: Any) -> None:
        super().__init__(model, load_device, offload_device)
        self.backup: dict[str, torch.Tensor] = {}

    def is_dynamic(self) -> bool:
        return True

    def prepare(self, patch: Any) -> None:
        """patch: ComfyUI's `calculate_weight`."""
        for prefix, part in self.model.named_modules():
            own = dict(part.named_parameters(recurse=False))
            if sum(weight.nbytes for weight in own.values()) > self.SMALL:
                continue
            for name, weight in own.items():
                key = f"{prefix}.{name}"
                self.backup[key] = weight
                cast = weight.detach().clone()
                cast = patch(self.patches.get(key, []), cast, key).to(torch.float16)
                part._parameters[name] = nn.Parameter(cast, requires_grad=False)

    def get_key_patches(self, filter_prefix: str | None = None) -> dict[str, list[Any]]:
        found = super().get_key_patches(filter_prefix)
        for name, (_, convert) in ((name, entry[0]) for name, entry in found.items()):
            if name in self.backup:
                found[name][0] = (self.backup[name], convert)
        return found

    def patch_model(self, *_: Any, load_weights: bool = True, **__: Any) -> None:
        assert not load_weights, "only ComfyUI's own memory management loads a dynamic model"

    def pin_weight_to_device(self, key: str) -> None:
        raise RuntimeError("pin_weight_to_device is invalid for dynamic weight loading")
