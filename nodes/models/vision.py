"""Features of pictures, from the image towers of files or the CLIP_VISION of a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import comfy.model_management as mm
import torch
from PIL import Image
from torch import Tensor, nn

from ...pez_core.clip.architecture import Architecture
from ...pez_core.clip.image_tower import BATCH_SIZE, encode_pictures, load_image_tower
from ...pez_core.clip.source import JointSource, Source
from ...pez_core.errors import ModelError, printable
from ..interrupt import check_cancelled
from .clip_files import stamp
from .memory import LRUCache, load

IMAGE_TOWERS = LRUCache()
# The width of the image tower, by that of the text tower of the same CLIP: L, H and bigG.
_VISION_WIDTH = {768: 1024, 1024: 1280, 1280: 1664}


@torch.inference_mode(False)
def features_by_files(source: Source | JointSource, pictures: Sequence[Image.Image]) -> Tensor:
    """Unit features of RGB pictures, (B, E), on the CPU, by image towers that ComfyUI manages.

    Raises ModelError for a file without an image tower, and what loading one raises.
    """
    features = encode_pictures(
        source, pictures, mm.get_torch_device(), _image_tower, check_cancelled
    )
    return features.cpu()


def _image_tower(source: Source) -> nn.Module:
    if source.arch.vision is None:
        raise ModelError(
            f"{printable(source.name)} contains only a text encoder and cannot see pictures: "
            "connect the CLIP_VISION of the same CLIP, or choose another model"
        )
    assert source.path is not None
    key = (source.path, *stamp(source.path))
    tower: nn.Module = load(IMAGE_TOWERS.get(key, lambda: load_image_tower(source)))
    return tower


@torch.inference_mode(False)
def features_by_clip_vision(clip_vision: Any, image: Tensor) -> Tensor:
    """Features of an IMAGE, (B, H, W, 3) → (B, E), on the CPU. Raises ModelError for a CLIP_VISION
    that is not a CLIP's."""
    features = []
    for batch in torch.split(image, BATCH_SIZE):
        check_cancelled()
        with torch.inference_mode():  # as ComfyUI's own nodes call it
            output = clip_vision.encode_image(batch)["image_embeds"]
        if output is None or output.ndim != 2:
            raise ModelError(
                "the CLIP_VISION connected is not a CLIP, because it returns no picture features: "
                "connect that of the same CLIP as the text encoder"
            )
        features.append(output.detach().to("cpu", torch.float32, copy=True))
    return torch.cat(features)


def features_dim(clip_vision: Any) -> int | None:
    """How many dimensions the features of a CLIP_VISION have, without a picture; None if it does
    not say."""
    projection = getattr(getattr(clip_vision, "model", None), "visual_projection", None)
    weight = getattr(projection, "weight", None)
    return None if weight is None else int(weight.shape[0])


def require_same_clip(arch: Architecture, embed_dim: int, clip_vision: Any) -> None:
    """Raises ModelError where picture features of so many dimensions are not of the same CLIP as a
    text encoder. clip_vision: the graph's image encoder that made them; None for a file's."""
    if arch.embed_dim != embed_dim:
        raise ModelError(
            f"the picture features have {embed_dim} dimensions and the text encoder returns "
            f"{arch.embed_dim}: connect a CLIP_VISION, or choose a model, of the same CLIP"
        )
    vision = getattr(getattr(clip_vision, "model", None), "vision_model", None)
    embeddings = getattr(vision, "embeddings", None)
    patches = getattr(getattr(embeddings, "patch_embedding", None), "weight", None)
    expected = _VISION_WIDTH.get(arch.width)
    if patches is not None and expected and patches.shape[0] != expected:
        raise ModelError(
            f"the CLIP_VISION connected has a width of {patches.shape[0]}, and this text encoder "
            f"needs one of {expected}: they come from different CLIPs, so connect two of the same "
            "CLIP"
        )
