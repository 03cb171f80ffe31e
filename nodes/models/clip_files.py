"""The drop-down of models: presets in an artist's words, and the CLIP files of ComfyUI's folders.

A file is usable when its head shows a CLIP text tower with its projection into CLIP's common space.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import folder_paths

from ...pez_core.clip.architecture import Architecture
from ...pez_core.clip.model_names import find_one
from ...pez_core.clip.source import Source
from ...pez_core.clip.tensor_shapes import largest_text_tower
from ...pez_core.clip.weights_file import WeightsFile
from ...pez_core.errors import ModelError, WeightsError
from ...pez_core.hub.configuration import ascii_only
from ...pez_core.hub.download import Progress
from .known_files import KnownFiles

PRESETS = {
    "SD 1.5": "sd15",
    "SD 2.x": "sd2",
    "SDXL": "sdxl-g",  # where only one encoder is wanted; `JOINT` has both
    "SDXL (CLIP-G alone)": "sdxl-g",
    "Flux / SD 3 (CLIP-L)": "flux",
    "demo (offline)": "demo",
}
# The text encoders of presets that have several: the model and feature dimensions of each.
JOINT = {"SDXL": {"CLIP-L": ("sdxl-l", 768), "CLIP-G": ("sdxl-g", 1280)}}
FOLDERS = ("text_encoders", "clip_vision", "checkpoints")
KNOWN = KnownFiles()


def choices() -> list[str]:
    """The presets, then the usable files as `folder/name`."""

    def usable(path: Path) -> bool:
        changed = stamp(path)
        return KNOWN.usable(path, changed, lambda: _recognise(path, *changed) is not None)

    files = [label for label, path in _files() if usable(path)]
    KNOWN.save()
    return [*PRESETS, *files]


def find_source(label: str, encoder: str | None = None, progress: Progress | None = None) -> Source:
    """The model of a drop-down entry. encoder: which one, for an entry in `JOINT`; the larger
    one if left out. progress: called during a download.

    Raises ModelError when the file is gone, and what `find_one` raises.
    """
    if label in PRESETS:
        name, _ = JOINT.get(label, {}).get(encoder or "", (PRESETS[label], 0))
        return find_one(name, progress)
    path = next((path for found, path in _files() if found == label), None)
    recognised = None if path is None else _recognise(path, *stamp(path))
    if recognised:
        arch, tower = recognised
        return Source(label, arch, path, tower=tower)
    raise ModelError(
        f"{ascii_only(label[:200])} is not a usable CLIP file any more: press R and choose another "
        "model"
    )


def encoder_with(label: str, embed_dim: int | None) -> str | None:
    """The encoder of an entry in `JOINT` whose features have so many dimensions."""
    dims = {dim: encoder for encoder, (_, dim) in JOINT.get(label, {}).items()}
    return dims.get(embed_dim or 0)


def stamp(path: Path) -> tuple[int, int]:
    """What changes when a file does: its time and its size."""
    try:
        status = path.stat()
    except OSError:  # a broken link
        return 0, 0
    return status.st_mtime_ns, status.st_size


def _files() -> Iterator[tuple[str, Path]]:
    """The safetensors files of ComfyUI's folders, each with its label `folder/name`."""
    for folder in FOLDERS:
        for name in folder_paths.get_filename_list(folder):
            found = folder_paths.get_full_path(folder, name)
            if found is not None and name.endswith(".safetensors"):
                yield f"{folder}/{name}", Path(found)


@cache
def _recognise(path: Path, changed: int, size: int) -> tuple[Architecture, str] | None:
    """The usable text tower of a file and its prefix."""
    try:
        return largest_text_tower(WeightsFile(path))
    except (WeightsError, ValueError, TypeError, IndexError):  # damaged, or of another kind
        return None
