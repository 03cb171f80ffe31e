"""The tensors of an image tower of either naming, under open_clip's names.

open_clip: `visual.transformer.resblocks.0.attn.in_proj_weight`, …, and `visual.proj`.
Hugging Face: `vision_model.encoder.layers.0.self_attn.q_proj.weight`, …, and
`visual_projection.weight`, stored (embedding, width).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import WeightsError, printable
from .scaled_weights import WAY_OUT
from .weights_file import WeightsFile

_HF_BLOCK = {
    "layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}  # fmt: skip
_HF_ELSE = {
    "visual_projection.weight": "proj",
    "vision_model.embeddings.class_embedding": "class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "positional_embedding",
    "vision_model.pre_layrnorm.weight": "ln_pre.weight",  # sic, transformers' own spelling
    "vision_model.pre_layrnorm.bias": "ln_pre.bias",
    "vision_model.post_layernorm.weight": "ln_post.weight",
    "vision_model.post_layernorm.bias": "ln_post.bias",
}


@dataclass(frozen=True)
class StoredTensor:
    """A tensor of an image tower in a file, where it may lie in several parts."""

    file: WeightsFile
    keys: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """From the file's header alone."""
        first = self.file.shape(self.keys[0])
        if self.keys == ("visual_projection.weight",):
            return first[::-1]
        if len(self.keys) == 1:
            return first
        return (sum(self.file.shape(key)[0] for key in self.keys), *first[1:])

    def read(self) -> Tensor:
        """The whole tensor in float32 and contiguous. A norm's count of batches stays an integer.

        Raises WeightsError for any other value that is not a floating-point number.
        """
        parts = [self.file[key] for key in self.keys]
        tensor = parts[0] if len(parts) == 1 else torch.cat(parts)
        if self.keys == ("visual_projection.weight",):
            tensor = tensor.T
        if tensor.is_floating_point():
            return tensor.float().contiguous()
        if not self.keys[0].endswith("num_batches_tracked"):
            raise WeightsError(
                f"{self.file.path}: {printable(self.keys[0])} holds values of {tensor.dtype}, "
                f"which are not weights or are quantised: {WAY_OUT}"
            )
        return tensor


State = dict[str, StoredTensor]


def vision_state(file: WeightsFile) -> State:
    """The tensors of a file's image tower by open_clip's names. Those without one keep their own.
    None is read yet."""
    if any(key.startswith("vision_model.") for key in file):
        parts = _from_hugging_face(file)
    else:
        parts = {k.removeprefix("visual."): [k] for k in file if k.startswith("visual.")}
    return {name: StoredTensor(file, tuple(keys)) for name, keys in parts.items()}


def _from_hugging_face(file: WeightsFile) -> dict[str, list[str]]:
    """The file's keys for each tensor, by open_clip's name."""
    state: dict[str, list[str]] = {}
    start = "vision_model.encoder.layers."
    for key in file:
        if key in _HF_ELSE:
            state[_HF_ELSE[key]] = [key]
        elif not key.startswith(start):
            if key.startswith(("vision_model.", "visual_projection.")):
                state[key] = [key]
        else:
            layer, _, rest = key.removeprefix(start).partition(".")
            new = f"transformer.resblocks.{layer}."
            module, _, kind = rest.rpartition(".")
            parts = [f"{start}{layer}.self_attn.{name}_proj.{kind}" for name in "qkv"]
            if module in _HF_BLOCK:
                state[f"{new}{_HF_BLOCK[module]}.{kind}"] = [key]
            elif key not in parts:
                state[key] = [key]
            elif all(part in file and file.shape(part) for part in parts):
                state[f"{new}attn.in_proj_{kind}"] = parts
    return state
