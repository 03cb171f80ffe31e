"""The drop-down of models: presets in an artist's words, and the CLIP files of ComfyUI's folders.

A file is usable when its head shows a CLIP text tower with its projection into CLIP's common space.
Such files carry no configuration, so ComfyUI's own rule is followed: the sizes are those of the
tensors, and the width tells the family (OpenAI's CLIP-L has quick_gelu, the others have gelu).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import folder_paths

from ...pez_core.clip.architecture import Architecture
from ...pez_core.clip.model_names import find_one
from ...pez_core.clip.source import Source
from ...pez_core.clip.weights import text_towers
from ...pez_core.clip.weights_file import WeightsFile
from ...pez_core.errors import ModelError, WeightsError
from ...pez_core.hub.download import Progress

PRESETS = {
    "SD 1.5": "sd15",
    "SD 2.x": "sd2",
    "SDXL": "sdxl",
    "SDXL (CLIP-G alone)": "sdxl-g",
    "Flux / SD 3 (CLIP-L)": "flux",
    "demo (offline)": "demo",
}
# The encoders of the presets that have several, with their widths.
JOINT = {"SDXL": {"CLIP-L": 768, "CLIP-G": 1280}}
FOLDERS = ("text_encoders", "clip_vision", "checkpoints")
CLIP_L_WIDTH = 768
_HEADS_OF_VISION = {768: 12, 1024: 16, 1280: 16, 1664: 16}  # every CLIP image tower in use
# The tensors that tell the sizes: token table or patches, positions, first layer of a block's MLP.
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

Shape = Callable[[str], "tuple[int, ...] | None"]  # of a tensor by its name; None: there is none


@dataclass(frozen=True)
class Choice:
    """A model to load: its source, and which text tower of its file is meant."""

    source: Source
    tower: str | None = None


def choices() -> list[str]:
    """The presets, then the usable files as `folder/name`."""
    return [*PRESETS, *(choice.source.name for choice in _files())]


def find_choice(
    label: str, *, width: int | None = None, progress: Progress | None = None
) -> Choice:
    """The model of a drop-down entry. width: that of the text tower that is wanted, as SDXL has
    two; without it the larger one. progress: told of a download.

    Raises ModelError when the file is gone, and what `find_one` raises.
    """
    if label in PRESETS:
        name = PRESETS[label]
        if name == "sdxl":
            name = "sdxl-l" if width == CLIP_L_WIDTH else "sdxl-g"
        return Choice(find_one(name, progress))
    for choice in _files():
        if choice.source.name == label:
            return choice
    raise ModelError(f"{label} is no usable CLIP file any more: press R and choose another model")


def text_architecture(shape: Shape, prefix: str, hugging_face: bool) -> Architecture | None:
    """The text tower behind a prefix, from the shapes of its tensors; None if it has no
    projection."""
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
    """open_clip's vision_cfg of an image tower, from the shapes of its tensors."""
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


def _files() -> Iterator[Choice]:
    """The usable files of ComfyUI's folders, named `folder/name`."""
    for folder in FOLDERS:
        for name in folder_paths.get_filename_list(folder):
            found = folder_paths.get_full_path(folder, name)
            if found is None or not name.endswith(".safetensors"):
                continue
            path = Path(found)
            recognised = _recognise(path, *stamp(path))
            if recognised:
                arch, tower = recognised
                yield Choice(Source(f"{folder}/{name}", arch, path), tower)


def stamp(path: Path) -> tuple[int, int]:
    """What changes when a file does."""
    try:
        status = path.stat()
    except OSError:  # a broken link
        return 0, 0
    return status.st_mtime_ns, status.st_size


@cache
def _recognise(path: Path, changed: int, size: int) -> tuple[Architecture, str] | None:
    """The usable text tower of a file and its prefix, from the head of the file alone."""
    try:
        file = WeightsFile(path)
        found = []
        for prefix, hugging_face in text_towers(file).items():
            arch = text_architecture(
                lambda name: file.shape(name) if name in file else None, prefix, hugging_face
            )
            if arch:
                found.append((arch, prefix))
    except (WeightsError, ValueError, TypeError, IndexError):  # damaged, or of another kind
        return None
    return max(found, key=lambda pair: pair[0].width, default=None)
