"""The text encoder of a graph: the weights inside a CLIP object, as copies that autograd may use.

ComfyUI's own forward changes its activations in place, so no gradient passes through it; its
weights serve ours. They are read through the patcher, LoRAs included, wherever they are and without
moving them. The projection into CLIP's common space is another matter: for a CLIP-L that came from
an SD 1.5 or SDXL checkpoint ComfyUI leaves it as uninitialised memory, and the object does not
remember that. So CLIP-L's is always taken from a file that is known to have it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import comfy.lora
import torch
from torch import Tensor

from ...pez_core.clip.architecture import Architecture
from ...pez_core.clip.models import ClipModel
from ...pez_core.clip.source import Source
from ...pez_core.clip.weights import load_projection, load_text_tower, text_towers
from ...pez_core.clip.weights_file import WeightsFile
from ...pez_core.errors import ModelError, PezError
from ...pez_core.text.vocabulary import clip_vocabulary
from ..run.live import Downloading
from .clip_files import CLIP_L_WIDTH, Choice, find_choice, text_architecture

# An SDXL graph has several: the one that its checkpoint brings whole goes first.
_ORDER = ("clip_g", "clip_h", "clip_l")
_NAMES = {"clip_l": "CLIP-L", "clip_h": "CLIP-H", "clip_g": "CLIP-G"}
_SAME_TABLE = 0.98  # cosine of the token tables of one CLIP; those of two CLIPs are near 0
_PROBED = 512  # rows of the table that are compared


@dataclass(frozen=True)
class GraphTower:
    """One CLIP text tower of a graph: ComfyUI's name of it, and its sizes."""

    name: str
    arch: Architecture

    @property
    def title(self) -> str:
        return _NAMES.get(self.name, self.name)


def find_tower(clip: Any, embed_dim: int | None) -> GraphTower:
    """The tower of a CLIP object whose features have so many dimensions, or its best one.

    Raises ModelError when there is no CLIP tower, or none that fits.
    """
    towers = _towers(clip)
    if not towers:
        kind = type(clip.cond_stage_model).__name__
        raise ModelError(
            f"the text encoder connected to `clip` ({kind}) holds no CLIP, only a language model "
            "such as T5: disconnect `clip` and choose a model, or connect a CLIP-L, -H or -G"
        )
    fitting = [t for t in towers if embed_dim in (None, t.arch.embed_dim)]
    if not fitting:
        have = ", ".join(f"{t.title} of {t.arch.embed_dim}" for t in towers)
        raise ModelError(
            f"the picture features have {embed_dim} dimensions and the text encoder connected to "
            f"`clip` is {have}: connect the CLIP_VISION, or choose the model, of the same CLIP"
        )
    return fitting[0]


def read_tower(clip: Any, tower: GraphTower, label: str) -> ClipModel:
    """A copy of the tower in float32 on the CPU. label: the model whose file has the projection.

    Raises ModelError when no trained projection can be had.
    """
    prefix = f"{tower.name}.transformer."
    state = {
        name.removeprefix(prefix): _patched(patches, name)
        for name, patches in clip.patcher.get_key_patches(prefix).items()
    }
    if tower.arch.width == CLIP_L_WIDTH or not _plausible(state["text_projection.weight"]):
        table = state["text_model.embeddings.token_embedding.weight"]
        state["text_projection.weight"] = _projection_of(label, tower, table).T
    title = f"{tower.title} of the graph"
    text = load_text_tower(state, tower.arch, source=title)
    return ClipModel(Source(title, tower.arch, None), text, clip_vocabulary())


def titles(clip: Any) -> set[str]:
    """The names of the CLIP towers in a CLIP object."""
    return {tower.title for tower in _towers(clip)}


def _towers(clip: Any) -> list[GraphTower]:
    found = []
    for name, module in clip.cond_stage_model.named_children():
        transformer = getattr(module, "transformer", None)
        if not hasattr(transformer, "text_model"):
            continue
        tensors = transformer.state_dict()
        if text_towers(tensors.keys()) != {"": True}:
            continue
        shapes = {key: tuple(tensor.shape) for key, tensor in tensors.items()}
        arch = text_architecture(shapes.get, "", True)
        if arch:
            found.append(GraphTower(name, arch))
    rank = {name: place for place, name in enumerate(_ORDER)}
    return sorted(found, key=lambda tower: rank.get(tower.name, len(rank)))


@torch.inference_mode(False)
def _patched(patches: list[Any], name: str) -> Tensor:
    """A weight as the graph uses it. patches: the weight with its conversion, then LoRAs."""
    (weight, convert), *loras = patches
    weight = convert(weight.detach().to("cpu", torch.float32, copy=True), inplace=True)
    patched: Tensor = comfy.lora.calculate_weight(loras, weight, name) if loras else weight
    return patched


def _plausible(projection: Tensor) -> bool:
    """Whether a projection may have been trained: neither empty nor arbitrary memory."""
    if not bool(torch.isfinite(projection).all()):
        return False
    spread = projection.std().item() * projection.shape[1] ** 0.5  # 1 where training starts
    rows = projection.norm(dim=1)
    even = rows.min() > 0.05 * rows.mean() and rows.max() < 20 * rows.mean()
    return 0.02 < spread < 50 and bool(even)


def _projection_of(label: str, tower: GraphTower, table: Tensor) -> Tensor:
    """The projection (D, E) in the file of a drop-down entry, which must be of the same CLIP."""
    title = tower.title
    advice = (
        f"the {title} in this graph carries no trained projection (checkpoints leave it out): "
        "choose in `model` what it belongs to, such as SD 1.5, or a CLIP file that has it"
    )
    try:
        choice: Choice = find_choice(label, width=tower.arch.width, progress=Downloading())
    except PezError as error:
        raise ModelError(f"{advice}. For {label!r}: {error}") from error
    theirs = choice.source.arch
    if (theirs.width, theirs.layers) != (tower.arch.width, tower.arch.layers):
        raise ModelError(
            f"{advice}. {label!r} is another CLIP, of width {theirs.width} where {title} has "
            f"{tower.arch.width}"
        )
    path = choice.source.path
    assert path is not None
    of_file, projection = load_projection(
        WeightsFile(path), theirs, source=str(path), tower=choice.tower
    )
    step = max(1, len(table) // _PROBED)
    alike = torch.cosine_similarity(table[::step], of_file[::step], dim=1).median().item()
    if alike < _SAME_TABLE:
        raise ModelError(
            f"{advice}. {label!r} has the same size and other weights: their token tables have a "
            f"cosine of {alike:.2f}"
        )
    return projection
