"""What a graph paints with, by the loader of its text encoder: known before anything runs.

A loader is any node that gives a CLIP. Its values name files of ComfyUI's folders, whose heads show
the text encoders in them, and often a kind, such as "flux".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import folder_paths

from ...pez_core.clip.weights import text_towers
from ...pez_core.clip.weights_file import WeightsFile
from ...pez_core.errors import PezError
from .clip_files import architecture_of, current, is_ready, stamp

_FOLDERS = ("checkpoints", "text_encoders")
# By the value of a loader's `type`.
_KINDS = {
    "sdxl": "SDXL", "sd3": "SD 3.5", "flux": "Flux.1", "flux2": "Flux.2", "hidream": "HiDream",
    "hunyuan_video": "HunyuanVideo", "qwen_image": "Qwen-Image", "lumina2": "Z-Image or Lumina 2",
    "wan": "Wan", "ltxv": "LTX-Video", "chroma": "Chroma", "pixart": "PixArt",
    "stable_cascade": "Stable Cascade", "kandinsky5": "Kandinsky 5",
    "kandinsky5_image": "Kandinsky 5",
}  # fmt: skip
_MIXED = {"SD 3.5", "Flux.1", "HiDream", "HunyuanVideo"}  # read other text encoders, too
# By a tensor of the diffusion model in a checkpoint. Chroma and Flux.2 have no `img_mod`.
_PARTS = {
    ".txt_in.individual_token_refiner.": "HunyuanVideo", ".joint_blocks.0.": "SD 3.5",
    ".double_blocks.0.img_mod.lin.": "Flux.1",
}  # fmt: skip
_LANGUAGE_MODELS = (
    ".block.0.layer.0.SelfAttention.q.weight", "model.layers.0.self_attn.q_proj.weight",
)  # fmt: skip
# The entry for the widths of the CLIPs that are read, alone and beside other text encoders.
_ALONE = {
    (768,): "SD 1.5", (1024,): "SD 2.x", (768, 1280): "SDXL", (1280,): "SDXL (CLIP-G alone)",
}  # fmt: skip
_BESIDE = {768: "Flux.1 (CLIP-L: weak)", 1280: "SD 3.5 (in part)"}


@dataclass(frozen=True)
class GraphPainter:
    """name: as artists call it; empty where it is not known. model: the
    drop-down's entry with its CLIP; None where it reads no CLIP. width: of the largest CLIP it
    reads; 0 if none."""

    name: str
    model: str | None
    width: int


@dataclass(frozen=True)
class _Head:
    """What the head of a file shows. widths: of its CLIPs. kind: what paints, as far as seen."""

    widths: frozenset[int]
    language_model: bool
    kind: str


def painter_of(loaders: Iterable[Iterable[str]]) -> GraphPainter | None:
    """What a graph paints with; None where its loaders do not say, or say different things.
    loaders: the texts among the values of each."""
    found = {_painter(frozenset(values)) for values in loaders}
    return found.pop() if len(found) == 1 else None


def advice(loaders: Iterable[Iterable[str]], label: str) -> dict[str, object]:
    """What a node shows before it runs. label: of the model chosen there.

    painter, model: see `GraphPainter`; None where nothing is known. fits: whether what is learned
    for the chosen model reaches the painter. here: whether nothing has to be downloaded for the
    chosen model; also for a file that is gone.
    """
    painter = painter_of(loaders)
    label = current(label)
    return {
        "painter": None if painter is None else painter.name,
        "model": None if painter is None else painter.model,
        "fits": painter is None or _reaches(label, painter),
        "here": is_ready(label),
    }


def _reaches(label: str, painter: GraphPainter) -> bool:
    """Whether the largest CLIP of an entry is that of a painter, as far as its size shows it. The
    demo has a size of its own."""
    try:
        return architecture_of(label).width == painter.width
    except PezError:  # the file is gone
        return False


def _painter(values: frozenset[str]) -> GraphPainter | None:
    heads = [head for value in values for head in _heads(value)]
    kinds = [_KINDS[value] for value in values if value in _KINDS]
    kind = next(iter(kinds + [head.kind for head in heads if head.kind]), "")
    widths = tuple(sorted(frozenset().union(*(head.widths for head in heads))))
    beside = kind in _MIXED or any(head.language_model for head in heads)
    if not widths:
        return GraphPainter(kind, None, 0) if beside or kind else None
    model = _BESIDE.get(widths[-1]) if beside else _ALONE.get(widths)
    if model is None:
        return None
    return GraphPainter(kind or ("" if beside else model.partition(" (")[0]), model, widths[-1])


def _heads(value: str) -> list[_Head]:
    """The heads of the files that have this name, in the folders of text encoders and
    checkpoints."""
    found = []
    for folder in _FOLDERS:
        if value.endswith(".safetensors") and value in folder_paths.get_filename_list(folder):
            path = folder_paths.get_full_path(folder, value)
            head = path and _head(Path(path), *stamp(Path(path)))
            found += [head] if head else []
    return found


@cache
def _head(path: Path, changed: int, size: int) -> _Head | None:
    try:
        file = WeightsFile(path)
        towers = text_towers(file)
        shapes = [file.shape(prefix + naming.table) for prefix, naming in towers.items()]
    except PezError:  # damaged, or of another kind
        return None
    names = [*file]
    return _Head(
        frozenset(shape[1] for shape in shapes if len(shape) == 2),
        any(name.endswith(_LANGUAGE_MODELS) for name in names),
        next((kind for part, kind in _PARTS.items() if any(part in name for name in names)), ""),
    )
