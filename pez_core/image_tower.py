"""Features of pictures through the image tower of a file: one of `vision`, or else open_clip's.

The tower is built without memory of its own, filled from the file, used once and dropped: a search
needs only its result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from .architecture import OPENAI_MEAN, OPENAI_STD, Architecture
from .errors import ModelError, PictureError, WeightsError
from .text_tower import nothing
from .vision import plain, plain_preprocessing
from .weights import WeightsFile

AT_ONCE = 4  # pictures in one pass: bounds the memory, and lets a stop be heard
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


def encode_pictures(
    path: Path, arch: Architecture, pictures: Sequence[Image.Image], device: torch.device | str
) -> Tensor:
    """Features, not normalised, of RGB pictures: (N, E), float32, on `device`.

    Raises PictureError without pictures, ModelError and WeightsError when the file has no fitting
    image tower.
    """
    if not pictures:
        raise PictureError("no picture was given: name at least one")
    tower = load_image_tower(path, arch).to(device)
    return picture_features(tower, arch, pictures, device, source=str(path))


@torch.inference_mode(False)
def picture_features(
    tower: nn.Module,
    arch: Architecture,
    pictures: Sequence[Image.Image],
    device: torch.device | str,
    *,
    source: str,
    tick: Callable[[], None] = nothing,
) -> Tensor:
    """The same with a tower that is on `device` already. source: its name for messages. tick:
    called before every pass."""
    prepare = preprocessing(arch)
    features = []
    with torch.no_grad():
        for first in range(0, len(pictures), AT_ONCE):
            tick()
            batch = torch.stack([prepare(picture) for picture in pictures[first : first + AT_ONCE]])
            features.append(_pooled(tower(batch.to(device))))
    result = torch.cat(features).float()
    if not bool(torch.isfinite(result).all()):
        raise WeightsError(
            f"{source}: its image tower gives values that are no finite numbers: the file is "
            "damaged"
        )
    return result


def preprocessing(arch: Architecture) -> Any:
    """open_clip's evaluation transform for this model: a PIL picture → (3, H, W) float32."""
    assert arch.vision is not None
    known = {
        k: arch.preprocess[k]
        for k in ("interpolation", "resize_mode", "fill_color")
        if arch.preprocess.get(k)
    }
    size = arch.vision["image_size"]
    mean = tuple(arch.preprocess.get("mean") or OPENAI_MEAN)
    std = tuple(arch.preprocess.get("std") or OPENAI_STD)
    prepare = plain_preprocessing(size, mean, std, known)
    if prepare is not None:
        return prepare
    from open_clip.transform import PreprocessCfg, image_transform_v2  # late: it takes seconds

    config = PreprocessCfg(size=size, mean=mean, std=std, **known)
    return image_transform_v2(config, is_train=False)


@torch.inference_mode(False)
def load_image_tower(path: Path, arch: Architecture) -> nn.Module:
    """The image tower of a file, on the CPU, in float32, without gradients."""
    if arch.vision is None:
        raise ModelError(
            f"{path} holds a text encoder alone: give a CLIP with an image tower, or use texts"
        )
    tower = _empty_tower(arch, arch.vision)
    state = _vision_state(WeightsFile(path), tower)
    missing = [
        k for k in tower.state_dict() if k not in state and not k.endswith("num_batches_tracked")
    ]
    if missing:
        raise WeightsError(
            f"{path} has no {missing[0]} ({len(missing)} tensors of the image tower are missing): "
            "give a complete CLIP file, or texts as targets"
        )
    try:
        tower.load_state_dict(state, strict=False, assign=True)
    except RuntimeError as error:
        raise WeightsError(
            f"{path}: the image tower does not fit its configuration: {error}"
        ) from error
    for name, buffer in list(tower.named_buffers()):
        if buffer.is_meta:  # the one kind left out of files: how many batches a norm has seen
            owner, _, key = name.rpartition(".")
            tower.get_submodule(owner).register_buffer(key, torch.zeros_like(buffer, device="cpu"))
    tower.requires_grad_(False)
    return tower.eval()


def _empty_tower(arch: Architecture, vision: dict[str, Any]) -> nn.Module:
    """The tower without memory of its own, where that can be."""
    with torch.device("meta"):
        tower = plain(vision, arch.embed_dim, arch.activation)
    if tower is not None:
        return tower
    from open_clip import CLIP  # late: it takes seconds

    text = {"width": 64, "heads": 1, "layers": 1, "vocab_size": 8}  # not used, hence small
    quick = arch.activation == "quick_gelu"
    # timm's towers make tensors that no file holds: only open_clip's own need no memory here.
    with torch.device("cpu" if vision.get("timm_model_name") else "meta"):
        visual: nn.Module = CLIP(arch.embed_dim, vision, text, quick_gelu=quick).visual
    return visual


def _vision_state(file: WeightsFile, tower: nn.Module) -> dict[str, Tensor]:
    """The tensors of the image tower under open_clip's names, in float32."""
    wanted = tower.state_dict()
    if any(key.startswith("vision_model.") for key in file):
        pairs = _from_hugging_face(file)
    else:
        pairs = {k.removeprefix("visual."): file[k] for k in file if k.startswith("visual.")}
    return {
        k: v.to(torch.float32 if v.is_floating_point() else v.dtype)
        for k, v in pairs.items()
        if k in wanted
    }


def _from_hugging_face(file: WeightsFile) -> dict[str, Tensor]:
    state = {new: file[old] for old, new in _HF_ELSE.items() if old in file}
    if "visual_projection.weight" in file:
        state["proj"] = file["visual_projection.weight"].T.contiguous()  # a Linear, stored (E, D)
    start = "vision_model.encoder.layers."
    for key in file:
        if not key.startswith(start):
            continue
        layer, _, rest = key.removeprefix(start).partition(".")
        new = f"transformer.resblocks.{layer}."
        module, _, kind = rest.rpartition(".")
        if module in _HF_BLOCK:
            state[f"{new}{_HF_BLOCK[module]}.{kind}"] = file[key]
        elif module == "self_attn.q_proj":
            parts = [f"{start}{layer}.self_attn.{name}_proj.{kind}" for name in "qkv"]
            if all(part in file for part in parts):
                state[f"{new}attn.in_proj_{kind}"] = torch.cat([file[part] for part in parts])
    return state


def _pooled(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    return output[0] if isinstance(output, tuple) else output
