"""The drop-down of models: presets in an artist's words, and the CLIP files of ComfyUI's folders.

A file is usable when its head shows a CLIP text tower with its projection into CLIP's common space.
What a preset names is called so everywhere: in messages, in errors and on the node.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import folder_paths

from ...pez_core.clip.architecture import Architecture
from ...pez_core.clip.model_names import find_one, is_here, preset_architecture
from ...pez_core.clip.source import Source
from ...pez_core.clip.tensor_shapes import largest_text_tower
from ...pez_core.clip.weights_file import WeightsFile
from ...pez_core.errors import ModelError, NotDownloadedError, WeightsError, printable
from ..doing import Downloading, say
from .known_files import NOTHING, READS, SEES, KnownFiles

DEMO = "demo (clip-art only)"
PRESETS = {
    "SD 1.5": "sd15",
    "SD 2.x": "sd2",
    "SDXL": "sdxl-g",  # where only one encoder is wanted; `JOINT` has both
    "SDXL (CLIP-G alone)": "sdxl-g",
    "SD 3.5 (in part)": "sdxl-g",
    "Flux.1 (CLIP-L: weak)": "flux",
    DEMO: "demo",
}
RENAMED = {"Flux / SD 3 (CLIP-L)": "Flux.1 (CLIP-L: weak)", "demo (offline)": DEMO}  # up to 0.4
# The text encoders of presets that have several: the model and feature dimensions of each.
_BOTH = {"CLIP-L": ("sdxl-l", 768), "CLIP-G": ("sdxl-g", 1280)}
JOINT = {"SDXL": _BOTH, "SD 3.5 (in part)": _BOTH}
FOLDERS = ("text_encoders", "clip_vision", "checkpoints")
KNOWN = KnownFiles()


def usable_files() -> dict[str, int]:
    """The usable files by label, and what each can do."""

    def can(path: Path) -> int:
        changed = stamp(path)

        def look() -> int:
            found = _recognise(path, *changed)
            return NOTHING if found is None else READS if found[0].vision is None else SEES

        return KNOWN.can(path, changed, look)

    each = {label: can(path) for label, path in _files()}
    KNOWN.save()
    return {label: found for label, found in each.items() if found != NOTHING}


def first_choice(files: Mapping[str, int]) -> str:
    """The entry that a new node begins with: what needs no download, and sees pictures. files: as
    `usable_files` finds them."""
    presets = (label for label in PRESETS if label != DEMO and is_ready(label))
    seeing = (label for label, can in files.items() if can == SEES)
    return next(presets, None) or next(seeing, DEMO)


def current(label: str) -> str:
    """An entry as it is called now."""
    return RENAMED.get(label, label)


def is_known(label: str) -> bool:
    """Whether an entry may be chosen, also by a graph of an earlier version."""
    return current(label) in PRESETS or label in usable_files()


def is_ready(label: str, encoder: str | None = None) -> bool:
    """Whether an entry needs no download. encoder: as for `find_source`."""
    if label not in PRESETS:
        return True
    each = [encoder] if encoder else [*JOINT.get(label, {None: None})]
    return all(is_here(_preset(label, one)) for one in each)


def architecture_of(label: str, encoder: str | None = None) -> Architecture:
    """The architecture of an entry, without its weights. Raises as `find_source` does."""
    if label in PRESETS:
        return preset_architecture(_preset(label, encoder))
    return find_source(label).arch


def find_source(label: str, encoder: str | None = None) -> Source:
    """The model of a drop-down entry, downloaded if necessary. encoder: which one, for an entry in
    `JOINT`; the larger one if left out.

    Raises ModelError when the file is gone or cannot be downloaded, and what `find_one` raises.
    """
    if label in PRESETS:
        called = f"{label}, {encoder}" if encoder and label in JOINT else label
        if not is_ready(label, encoder):
            say("download", model=called, percent=0)
        try:
            return replace(find_one(_preset(label, encoder), Downloading(called)), name=called)
        except NotDownloadedError as error:
            raise ModelError(
                f"{called} is not on this machine and could not be downloaded ({error.reason}). "
                f"Put the file {error.file} into ComfyUI's folder models/text_encoders, press R "
                f"and choose it in `model`. {DEMO} needs no download, but paints for nobody"
            ) from error
    path = next((path for found, path in _files() if found == label), None)
    recognised = None if path is None else _recognise(path, *stamp(path))
    if recognised:
        arch, tower = recognised
        return Source(label, arch, path, tower=tower)
    raise ModelError(
        f"{printable(label[:200])} is not a usable CLIP file any more: press R and choose another "
        "model"
    )


def files_of_size(arch: Architecture, sees: bool) -> Iterator[Source]:
    """The usable files of ComfyUI's folders whose text tower has the size of another. sees: only
    those that have an image tower, too."""
    for label, path in _files():
        recognised = _recognise(path, *stamp(path))
        if recognised is None:
            continue
        found, tower = recognised
        same = (found.width, found.layers) == (arch.width, arch.layers)
        if same and (found.vision is not None or not sees):
            yield Source(label, found, path, tower=tower)


def _preset(label: str, encoder: str | None) -> str:
    name, _ = JOINT.get(label, {}).get(encoder or "", (PRESETS[label], 0))
    return name


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
