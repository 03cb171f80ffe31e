"""The text encoder of a graph: the weights inside a CLIP object, as copies that autograd may use.

ComfyUI's own forward changes its activations in place, so no gradient passes through it. We use its
weights in our own forward. They are read through the patcher, LoRAs included, without moving them.
The projection into CLIP's common space is different: for a CLIP-L from an SD 1.5 or SDXL checkpoint
ComfyUI leaves it as uninitialised memory, and the object does not record that. So the projection of
a CLIP-L is always taken from a file that is known to have it: that of the drop-down's entry, or
where that would have to be downloaded, any of ComfyUI's folders with the same token table.
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
from .clip_files import JOINT, architecture_of, files_of_size, find_source, is_ready

_PROJECTION = "text_projection.weight"
_TABLE = "text_model.embeddings.token_embedding.weight"
# By the beginning of the names of ComfyUI's classes. Longer ones come first.
_KINDS = {
    "Flux2": "Flux.2", "Flux": "Flux.1", "SD3": "SD 3.5", "HunyuanVideo": "HunyuanVideo",
    "HiDream": "HiDream", "QwenImage": "Qwen-Image", "ZImage": "Z-Image", "Lumina": "Lumina",
    "Wan": "Wan", "LTXV": "LTX-Video", "Kandinsky": "Kandinsky", "PixArt": "PixArt",
}  # fmt: skip
_TITLES = {"clip_l": "CLIP-L", "clip_h": "CLIP-H", "clip_g": "CLIP-G"}
_SAME_TABLE = 0.98  # cosine of the token tables of one CLIP; those of two CLIPs are near 0
_PROBED = 512  # rows of the table that are compared


def find_tower(clip: Any, embed_dim: int | None) -> Source:
    """The tower of a CLIP object whose features have so many dimensions, or its best one.

    Raises ModelError when there is no CLIP tower, or none that fits.
    """
    towers = _towers(clip)
    if not towers:
        raise ModelError(
            f"the text encoder connected to `clip` ({_kind(clip)}) is a language model and holds "
            "no CLIP. What you paint with reads sentences, and learned words do not steer it. "
            "Describe the picture in a sentence, as Generate Text or Florence-2 does, and let "
            "Prompt Ranker choose among several"
        )
    fitting = [tower for tower in towers if embed_dim in (None, tower.arch.embed_dim)]
    if not fitting:
        found = ", ".join(f"{title(tower)} of {tower.arch.embed_dim}" for tower in towers)
        raise ModelError(
            f"the picture features have {embed_dim} dimensions and the text encoder connected to "
            f"`clip` is {found}: connect the CLIP_VISION, or choose the model, of the same CLIP"
        )
    return fitting[0]


def find_projection(
    clip: Any, source: Source, label: str, file: Source | None = None
) -> Source | None:
    """The file that has the projection of a tower, which must be of the same CLIP; None if the
    tower's own is a trained one. label: the entry of the drop-down. file: its file, where that is
    found already.

    Raises ModelError for quantised weights, and when no trained projection is available.
    """
    transformer = getattr(clip.cond_stage_model, source.tower or "").transformer
    if any(name.endswith(".comfy_quant") for name in transformer.state_dict()):
        # ComfyUI's patcher does not give such weights out: it asks its layers for their scales.
        raise ModelError(
            f"the {title(source)} connected to `clip` is quantised: connect one in float16, or "
            "disconnect `clip` and choose a model"
        )
    if source.arch.width != CLIP_L_WIDTH:
        (projection,) = _weights(clip, source, _PROJECTION).values()
        if _plausible(projection):
            return None
    table = table_of(clip, source)
    if file is None and not is_ready(label, _encoder(label, source)):
        local = of_same_clip(source, table)
        if local is not None:
            return local
    return _of_entry(label, source, table, file)


def of_same_clip(source: Source, table: Tensor, sees: bool = False) -> Source | None:
    """A file of ComfyUI's folders with the CLIP of a tower. table: the tower's tokens, (V, D).
    sees: with an image tower, too."""
    for file in files_of_size(source.arch, sees):
        if _alike(table, _read_projection(file)[0]) >= _SAME_TABLE:
            return file
    return None


def table_of(clip: Any, source: Source) -> Tensor:
    """The tokens of a tower, (V, D), in float32 on the CPU."""
    (table,) = _weights(clip, source, _TABLE).values()
    return table


def read_tower(clip: Any, source: Source, projection: Source | None) -> TextTower:
    """A copy of a tower in float32 on the CPU. projection: the file that has its projection, as
    `find_projection` finds it. Raises what reading it raises."""
    state = _weights(clip, source)
    if projection is not None:
        state[_PROJECTION] = _read_projection(projection)[1].T
    return load_text_tower(state, source.arch, source=source.name)


def reach(clip: Any) -> str:
    """What to know of how far learned words reach what a graph paints with; empty where they are
    all that it reads."""
    others = [
        name
        for name, module in clip.cond_stage_model.named_children()
        if hasattr(module, "transformer") and not hasattr(module.transformer, "text_model")
    ]
    kind = _kind(clip)
    if kind == "SD 3.5":
        return f"{kind} reads these words beside T5: they steer it in part"
    if others or kind == "Flux.1":
        return f"{kind} reads these words as one pooled vector: they steer it weakly"
    return ""


def _kind(clip: Any) -> str:
    """What the text encoder of a graph is known as; ComfyUI's own name for what is not listed."""
    name = type(clip.cond_stage_model).__name__
    return next((title for start, title in _KINDS.items() if name.startswith(start)), name)


def _encoder(label: str, source: Source) -> str | None:
    """Which encoder of an entry a tower is, for an entry that has several."""
    return title(source) if title(source) in JOINT.get(label, {}) else None


def _weights(clip: Any, source: Source, only: str = "") -> dict[str, Tensor]:
    """The weights of a tower by name, as the graph uses them. only: the name of one."""
    prefix = f"{source.tower}.transformer."
    return {
        name.removeprefix(prefix): _patched(patches, name)
        for name, patches in clip.patcher.get_key_patches(prefix + only).items()
        if not only or name == prefix + only
    }


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


def _of_entry(label: str, source: Source, table: Tensor, file: Source | None) -> Source:
    """The file of a drop-down entry, which must be of the same CLIP."""
    name, arch = title(source), source.arch
    advice = (
        f"the {name} in this graph has no trained projection (checkpoints leave it out): choose in "
        "`model` the model it belongs to, such as SD 1.5, or a CLIP file with a projection"
    )
    encoder = _encoder(label, source)
    try:
        wanted = file.arch if file else architecture_of(label, encoder)
        fits = (wanted.width, wanted.layers) == (arch.width, arch.layers)
        found = (file or find_source(label, encoder)) if fits else None  # no download for nothing
    except PezError as error:
        raise ModelError(f"{advice}. For {label!r}: {error}") from error
    if found is None:
        raise ModelError(
            f"{advice}. {label!r} is a different CLIP, of width {wanted.width} where {name} has "
            f"{arch.width}"
        )
    alike = _alike(table, _read_projection(found)[0])
    if alike < _SAME_TABLE:
        raise ModelError(
            f"{advice}. {label!r} has the same size but different weights: the token tables have a "
            f"cosine of {alike:.2f}"
        )
    return found


def _read_projection(file: Source) -> tuple[Tensor, Tensor]:
    """The token table (V, D) and the projection (D, E) of a file."""
    assert file.path is not None
    return load_projection(
        WeightsFile(file.path), file.arch, source=str(file.path), tower=file.tower
    )


def _alike(table: Tensor, other: Tensor) -> float:
    """How similar two token tables are: the median cosine of their rows."""
    if table.shape != other.shape:
        return 0.0
    step = max(1, len(table) // _PROBED)
    return torch.cosine_similarity(table[::step], other[::step], dim=1).median().item()
