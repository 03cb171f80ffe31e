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
from .vision_config import MOST_PATCHES
from .weights import Naming, text_towers
from .weights_file import WeightsFile

CLIP_L_WIDTH = 768
_HEADS_OF_VISION = {768: 12, 1024: 16, 1280: 16, 1664: 16}  # every CLIP image tower in use
# The tensors that show the sizes: patches, positions, the blocks and the first
# layer of their MLP.
_HF_VISION = (
    "vision_model.embeddings.patch_embedding.weight",
    "vision_model.embeddings.position_embedding.weight",
    "vision_model.encoder.layers.",
    ".mlp.fc1.weight",
)
_OPEN_CLIP_VISION = (
    "visual.conv1.weight",
    "visual.positional_embedding",
    "visual.transformer.resblocks.",
    ".mlp.c_fc.weight",
)

Shape = Callable[[str], "tuple[int, ...] | None"]  # of a tensor by its name; None: it is missing


def largest_text_tower(file: WeightsFile) -> tuple[Architecture, str] | None:
    """The architecture of the widest text tower of a file that has its projection, and its prefix;
    None if the file has none. Only the head of the file is read."""
    found = []
    for prefix, naming in text_towers(file).items():
        arch = architecture_of_shapes(
            lambda name: file.shape(name) if name in file else None, prefix, naming
        )
        if arch:
            found.append((arch, prefix))
    return max(found, key=lambda pair: pair[0].width, default=None)


def architecture_of_shapes(shape: Shape, prefix: str, naming: Naming) -> Architecture | None:
    """The architecture of the text tower with a prefix; None if it has no projection."""
    blocks, fc = prefix + naming.blocks, f".{naming.fc}.weight"
    linear, bare = shape(f"{prefix}text_projection.weight"), shape(f"{prefix}text_projection")
    projection = linear[::-1] if linear else bare  # (D, E)
    embedding, positions = shape(prefix + naming.table), shape(prefix + naming.positions)
    first = shape(f"{blocks}0{fc}")
    if not (projection and embedding and positions and first):
        return None
    # Quantised and foreign files have tensors of other dimensions under these names.
    if {2} != {len(projection), len(embedding), len(positions), len(first)}:
        return None
    width = embedding[1]
    if not width or width % 64:  # every CLIP has heads of 64
        return None
    return Architecture(
        embed_dim=projection[1],
        width=width,
        layers=_layers(shape, blocks, fc),
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
    conv, places, blocks, fc = _HF_VISION if shape(_HF_VISION[0]) else _OPEN_CLIP_VISION
    patches, positions, first = shape(conv), shape(places), shape(f"{blocks}0{fc}")
    if not (patches and positions and first) or patches[0] not in _HEADS_OF_VISION:
        return None
    if (len(patches), len(positions), len(first)) != (4, 2, 2):
        return None
    width, patch = patches[0], patches[2]
    side = round(max(positions[0] - 1, 0) ** 0.5)  # in patches
    if not (patch and 1 <= side <= MOST_PATCHES):
        return None
    return {
        "image_size": patch * side,
        "patch_size": patch,
        "width": width,
        "layers": _layers(shape, blocks, fc),
        "head_width": width // _HEADS_OF_VISION[width],
        "mlp_ratio": first[0] / width,
    }


def _layers(shape: Shape, start: str, end: str) -> int:
    return next(n for n in itertools.count() if not shape(f"{start}{n}{end}"))
