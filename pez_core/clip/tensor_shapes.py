"""The architecture of a CLIP from the shapes of its tensors, for files without a configuration.

The sizes are those of the tensors. The activation is in no tensor, so ComfyUI's rule is followed:
the width tells the family (OpenAI's CLIP-L has quick_gelu, the others have gelu).

But: the rule is wrong for CLIPs that ComfyUI does not use, such as OpenAI's ViT-B-32 and LAION's
ViT-L-14.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from .architecture import Architecture
from .weights import text_towers
from .weights_file import WeightsFile

CLIP_L_WIDTH = 768
_HEADS_OF_VISION = {768: 12, 1024: 16, 1280: 16, 1664: 16}  # every CLIP image tower in use
# The tensors that show the sizes: token table or patches, positions, first layer of a block's MLP.
_HF_TEXT = (
    "text_model.embeddings.token_embedding.weight",
    "text_model.embeddings.position_embedding.weight",
    "text_model.encoder.layers.{}.mlp.fc1.weight",
)
_OPEN_CLIP_TEXT = (
    "token_embedding.weight",
    "positional_embedding",
    "transformer.resblocks.{}.mlp.c_fc.weight",
)
_HF_VISION = (
    "vision_model.embeddings.patch_embedding.weight",
    "vision_model.embeddings.position_embedding.weight",
    "vision_model.encoder.layers.{}.mlp.fc1.weight",
)
_OPEN_CLIP_VISION = (
    "visual.conv1.weight",
    "visual.positional_embedding",
    "visual.transformer.resblocks.{}.mlp.c_fc.weight",
)

Shape = Callable[[str], "tuple[int, ...] | None"]  # of a tensor by its name; None: it is missing


def largest_text_tower(file: WeightsFile) -> tuple[Architecture, str] | None:
    """The architecture of the widest text tower of a file that has its projection, and its prefix;
    None if the file has none. Only the head of the file is read."""
    found = []
    for prefix, hugging_face in text_towers(file).items():
        arch = architecture_of_shapes(
            lambda name: file.shape(name) if name in file else None, prefix, hugging_face
        )
        if arch:
            found.append((arch, prefix))
    return max(found, key=lambda pair: pair[0].width, default=None)


def architecture_of_shapes(shape: Shape, prefix: str, hugging_face: bool) -> Architecture | None:
    """The architecture of the text tower with a prefix; None if it has no projection."""
    table, places, mlp = _HF_TEXT if hugging_face else _OPEN_CLIP_TEXT
    linear, bare = shape(f"{prefix}text_projection.weight"), shape(f"{prefix}text_projection")
    projection = linear[::-1] if linear else bare  # (D, E)
    embedding, positions = shape(prefix + table), shape(prefix + places)
    first = shape(prefix + mlp.format(0))
    if not (projection and embedding and positions and first):
        return None
    width = embedding[-1]
    if width % 64:  # every CLIP has heads of 64
        return None
    return Architecture(
        embed_dim=projection[1],
        width=width,
        layers=_layers(shape, prefix + mlp),
        heads=width // 64,
        activation="quick_gelu" if width == CLIP_L_WIDTH else "gelu",
        mlp_width=first[0],
        vocab_size=embedding[0],
        context_length=positions[0],
        vision=_vision(shape),
        preprocess={},
    )


def _vision(shape: Shape) -> dict[str, Any] | None:
    """open_clip's vision_cfg of an image tower."""
    conv, places, mlp = _HF_VISION if shape(_HF_VISION[0]) else _OPEN_CLIP_VISION
    patches, positions, first = shape(conv), shape(places), shape(mlp.format(0))
    if not (patches and positions and first) or patches[0] not in _HEADS_OF_VISION:
        return None
    width, patch = patches[0], patches[2]
    return {
        "image_size": patch * round((positions[0] - 1) ** 0.5),
        "patch_size": patch,
        "width": width,
        "layers": _layers(shape, mlp),
        "head_width": width // _HEADS_OF_VISION[width],
        "mlp_ratio": first[0] / width,
    }


def _layers(shape: Shape, name: str) -> int:
    return next(n for n in itertools.count() if not shape(name.format(n)))
