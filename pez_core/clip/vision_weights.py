"""The tensors of an image tower of either naming, under open_clip's names.

open_clip: `visual.transformer.resblocks.0.attn.in_proj_weight`, …, and `visual.proj`.
Hugging Face: `vision_model.encoder.layers.0.self_attn.q_proj.weight`, …, and
`visual_projection.weight`, stored (embedding, width).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

import torch
from torch import Tensor

from .weights_file import WeightsFile

State = dict[str, Callable[[], Tensor]]  # a reader for each tensor
_HF_BLOCK = {
    "layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}  # fmt: skip
_HF_ELSE = {
    "vision_model.embeddings.class_embedding": "class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "positional_embedding",
    "vision_model.pre_layrnorm.weight": "ln_pre.weight",  # sic, transformers' own spelling
    "vision_model.pre_layrnorm.bias": "ln_pre.bias",
    "vision_model.post_layernorm.weight": "ln_post.weight",
    "vision_model.post_layernorm.bias": "ln_post.bias",
}


def vision_state(file: WeightsFile, wanted: Collection[str]) -> State:
    """A reader for each wanted tensor that the file holds, in the file's precision. No tensor is
    read yet."""
    if any(key.startswith("vision_model.") for key in file):
        parts = _from_hugging_face(file)
    else:
        parts = {k.removeprefix("visual."): [k] for k in file if k.startswith("visual.")}
    return {k: partial(_read, file, keys) for k, keys in parts.items() if k in wanted}


def _read(file: WeightsFile, keys: list[str]) -> Tensor:
    """One tensor, concatenated if the file holds it in parts."""
    tensor = file[keys[0]] if len(keys) == 1 else torch.cat([file[key] for key in keys])
    return tensor.T if keys == ["visual_projection.weight"] else tensor


def _from_hugging_face(file: WeightsFile) -> dict[str, list[str]]:
    """The file's keys for each tensor, by open_clip's name."""
    state = {new: [old] for old, new in _HF_ELSE.items() if old in file}
    if "visual_projection.weight" in file:
        state["proj"] = ["visual_projection.weight"]
    start = "vision_model.encoder.layers."
    for key in file:
        if not key.startswith(start):
            continue
        layer, _, rest = key.removeprefix(start).partition(".")
        new = f"transformer.resblocks.{layer}."
        module, _, kind = rest.rpartition(".")
        if module in _HF_BLOCK:
            state[f"{new}{_HF_BLOCK[module]}.{kind}"] = [key]
        elif module == "self_attn.q_proj":
            parts = [f"{start}{layer}.self_attn.{name}_proj.{kind}" for name in "qkv"]
            if all(part in file for part in parts):
                state[f"{new}attn.in_proj_{kind}"] = parts
    return state
