"""One random text encoder under every name that files give its tensors, each with the forward of
the library that coined the naming."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pez_core.clip.architecture import Architecture
from tests.support.towers import (
    hugging_face_config,
    hugging_face_features,
    hugging_face_model,
    open_clip_features,
    open_clip_model,
    randomise,
)

State = dict[str, Tensor]
# Of an image model that shares the file: nothing of it belongs to a text encoder.
_UNET = {"model.diffusion_model.input_blocks.0.0.weight": torch.zeros(2, 2)}


@dataclass(frozen=True)
class Named:
    """A state dict, the unit features its own library gives, (N, E), and the `tower` to ask for."""

    state: State
    features: Tensor
    tower: str | None = None


def behind(prefix: str, state: State) -> State:
    """The state dict with a prefix on every key."""
    return {prefix + key: value for key, value in state.items()}


def text_only(state: State) -> State:
    """The state dict without its image tower."""
    images = ("visual.", "vision_model.", "visual_projection.")
    return {key: value for key, value in state.items() if not key.startswith(images)}


def open_clip(arch: Architecture) -> Named:
    """open_clip's CLIP."""
    model = open_clip_model(arch)
    return Named(model.state_dict(), open_clip_features(model))


def open_clip_custom(arch: Architecture) -> Named:
    """open_clip's CustomTextCLIP: `text.transformer.resblocks.…`."""
    model = open_clip_model(arch, custom=True)
    return Named(model.state_dict(), open_clip_features(model))


def hugging_face(arch: Architecture) -> Named:
    """transformers' CLIPModel."""
    model = hugging_face_model(arch)
    return Named(model.state_dict(), hugging_face_features(model))


def hugging_face_text(arch: Architecture) -> Named:
    """transformers' CLIPTextModelWithProjection."""
    from transformers import CLIPTextModelWithProjection

    model = CLIPTextModelWithProjection(hugging_face_config(arch).text_config)
    randomise(model, 1)
    return Named(model.state_dict(), hugging_face_features(model))


def hugging_face_raw_projection(arch: Architecture) -> Named:
    """Hugging Face naming, but the projection as a bare matrix (width, embedding), as converters of
    OpenCLIP-H left it."""
    named = hugging_face_text(arch)
    state = dict(named.state)
    state["text_projection"] = state.pop("text_projection.weight").T.contiguous()
    return Named(state, named.features)


def comfyui(arch: Architecture) -> Named:
    """A text encoder that ComfyUI saved."""
    named = hugging_face_text(arch)
    state = behind("clip_l.transformer.", named.state)
    return Named({**state, "clip_l.logit_scale": torch.tensor(4.6)}, named.features)


def sd2_checkpoint(arch: Architecture) -> Named:
    """A checkpoint of Stable Diffusion 2.x."""
    named = open_clip(arch)
    return Named(
        {**behind("cond_stage_model.model.", text_only(named.state)), **_UNET}, named.features
    )


def sdxl_checkpoint_g(arch: Architecture) -> Named:
    """The second text encoder of an SDXL checkpoint."""
    named = open_clip(arch)
    return Named(_sdxl(arch, named.state), named.features, "embedders.1")


def sdxl_checkpoint_l(arch: Architecture) -> Named:
    """The first text encoder of an SDXL checkpoint, in a file that kept its projection."""
    named = hugging_face_text(arch)
    state = _sdxl(arch, open_clip(arch).state)
    prefix = "conditioner.embedders.0.transformer."
    return Named({**state, **behind(prefix, named.state)}, named.features, "embedders.0")


def _sdxl(arch: Architecture, second: State) -> State:
    first = hugging_face_text(arch).state
    del first["text_projection.weight"]  # SDXL's CLIP-L comes without
    return {
        **behind("conditioner.embedders.0.transformer.", first),
        **behind("conditioner.embedders.1.model.", text_only(second)),
        **_UNET,
    }


NAMINGS: dict[str, Callable[[Architecture], Named]] = {
    "open_clip": open_clip,
    "open_clip with text.": open_clip_custom,
    "Hugging Face CLIPModel": hugging_face,
    "Hugging Face CLIPTextModelWithProjection": hugging_face_text,
    "Hugging Face, bare projection": hugging_face_raw_projection,
    "ComfyUI clip_l": comfyui,
    "SD2 checkpoint": sd2_checkpoint,
    "SDXL checkpoint, CLIP-G": sdxl_checkpoint_g,
    "SDXL checkpoint, CLIP-L": sdxl_checkpoint_l,
}
