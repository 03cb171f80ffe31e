"""The text encoder of a graph: the weights inside a CLIP object, as copies that autograd may use.

ComfyUI's own forward changes its activations in place, so no gradient passes through it. We use its
weights in our own forward. They are read through the patcher, LoRAs included, without moving them.
The projection into CLIP's common space is different: for a CLIP-L from an SD 1.5 or SDXL checkpoint
ComfyUI leaves it as uninitialised memory, and the object does not record that. So the projection of
a CLIP-L is always taken from a file that is known to have it.
"""

from __future__ import annotations

from typing import Any

import comfy.lora
import torch
from torch import Tensor

from ...pez_core.clip.source import Source
from ...pez_core.clip.tensor_shapes import CLIP_L_WIDTH, architecture_of_shapes
from ...pez_core.clip.text_tower import TextTower
from ...pez_core.clip.weights import (
    HUGGING_FACE,
    load_projection,
    load_text_tower,
    text_towers,
)
from ...pez_core.clip.weights_file import WeightsFile
from ...pez_core.errors import ModelError, PezError
from ..interrupt import Downloading
from .clip_files import find_source

_TITLES = {"clip_l": "CLIP-L", "clip_h": "CLIP-H", "clip_g": "CLIP-G"}
_SAME_TABLE = 0.98  # cosine of the token tables of one CLIP; those of two CLIPs are near 0
_PROBED = 512  # rows of the table that are compared


def find_tower(clip: Any, embed_dim: int | None) -> Source:
    """The tower of a CLIP object whose features have so many dimensions, or its best one.

    Raises ModelError when there is no CLIP tower, or none that fits.
    """
    towers = _towers(clip)
    if not towers:
        kind = type(clip.cond_stage_model).__name__
        raise ModelError(
            f"the text encoder connected to `clip` ({kind}) contains no CLIP, only a language "
            "model such as T5: disconnect `clip` and choose a model, or connect a CLIP-L, -H or -G"
        )
    fitting = [tower for tower in towers if embed_dim in (None, tower.arch.embed_dim)]
    if not fitting:
        found = ", ".join(f"{title(tower)} of {tower.arch.embed_dim}" for tower in towers)
        raise ModelError(
            f"the picture features have {embed_dim} dimensions and the text encoder connected to "
            f"`clip` is {found}: connect the CLIP_VISION, or choose the model, of the same CLIP"
        )
    return fitting[0]


def read_tower(clip: Any, source: Source, label: str) -> TextTower:
    """A copy of a tower in float32 on the CPU. label: the model whose file has the projection.

    Raises ModelError for quantised weights, and when no trained projection is available.
    """
    transformer = getattr(clip.cond_stage_model, source.tower or "").transformer
    if any(name.endswith(".comfy_quant") for name in transformer.state_dict()):
        # ComfyUI's patcher does not give such weights out: it asks its layers for their scales.
        raise ModelError(
            f"the {title(source)} connected to `clip` is quantised: connect one in float16, or "
            "disconnect `clip` and choose a model"
        )
    arch, prefix = source.arch, f"{source.tower}.transformer."
    state = {
        name.removeprefix(prefix): _patched(patches, name)
        for name, patches in clip.patcher.get_key_patches(prefix).items()
    }
    if arch.width == CLIP_L_WIDTH or not _plausible(state["text_projection.weight"]):
        table = state["text_model.embeddings.token_embedding.weight"]
        state["text_projection.weight"] = _projection_of(label, source, table).T
    return load_text_tower(state, arch, source=source.name)


def title(source: Source) -> str:
    """The name of a graph's tower as users know it: CLIP-L, CLIP-H, CLIP-G."""
    return _TITLES.get(source.tower or "", source.tower or "")


def titles(clip: Any) -> set[str]:
    """The names of the CLIP towers in a CLIP object."""
    return {title(tower) for tower in _towers(clip)}


def _towers(clip: Any) -> list[Source]:
    """The CLIP towers in a CLIP object, best first. The `tower` of each is ComfyUI's name of it."""
    found = []
    for name, module in clip.cond_stage_model.named_children():
        transformer = getattr(module, "transformer", None)
        if not hasattr(transformer, "text_model"):
            continue
        tensors = transformer.state_dict()
        if text_towers(tensors.keys()) != {"": HUGGING_FACE}:
            continue
        shapes = {key: tuple(tensor.shape) for key, tensor in tensors.items()}
        arch = architecture_of_shapes(shapes.get, "", HUGGING_FACE)
        if arch:
            found.append(Source(f"{_TITLES.get(name, name)} of the graph", arch, None, tower=name))
    # An SDXL graph has several: the one that its checkpoint stores with a projection is best.
    rank = {name: place for place, name in enumerate(("clip_g", "clip_h", "clip_l"))}
    return sorted(found, key=lambda tower: rank.get(tower.tower or "", len(rank)))


@torch.inference_mode(False)
def _patched(patches: list[Any], name: str) -> Tensor:
    """A weight as the graph uses it. patches: the weight with its conversion, then LoRAs."""
    (weight, convert), *loras = patches
    weight = convert(weight.detach().to("cpu", torch.float32, copy=True), inplace=True)
    patched: Tensor = comfy.lora.calculate_weight(loras, weight, name) if loras else weight
    return patched


def _plausible(projection: Tensor) -> bool:
    """Whether a projection looks trained, and not like empty or arbitrary memory."""
    if not bool(torch.isfinite(projection).all()):
        return False
    spread = projection.std().item() * projection.shape[1] ** 0.5  # 1 where training starts
    rows = projection.norm(dim=1)
    even = rows.min() > 0.05 * rows.mean() and rows.max() < 20 * rows.mean()
    return 0.02 < spread < 50 and bool(even)


def _projection_of(label: str, source: Source, table: Tensor) -> Tensor:
    """The projection (D, E) in the file of a drop-down entry, which must be of the same CLIP."""
    name, arch = title(source), source.arch
    advice = (
        f"the {name} in this graph has no trained projection (checkpoints leave it out): choose in "
        "`model` the model it belongs to, such as SD 1.5, or a CLIP file with a projection"
    )
    try:
        file = find_source(label, name, Downloading())
    except PezError as error:
        raise ModelError(f"{advice}. For {label!r}: {error}") from error
    if (file.arch.width, file.arch.layers) != (arch.width, arch.layers):
        raise ModelError(
            f"{advice}. {label!r} is a different CLIP, of width {file.arch.width} where {name} has "
            f"{arch.width}"
        )
    assert file.path is not None
    of_file, projection = load_projection(
        WeightsFile(file.path), file.arch, source=str(file.path), tower=file.tower
    )
    step = max(1, len(table) // _PROBED)
    alike = torch.cosine_similarity(table[::step], of_file[::step], dim=1).median().item()
    if alike < _SAME_TABLE:
        raise ModelError(
            f"{advice}. {label!r} has the same size but different weights: the token tables have a "
            f"cosine of {alike:.2f}"
        )
    return projection
