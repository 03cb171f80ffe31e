"""ComfyUI's model folders: one each, which a test sets."""

from __future__ import annotations

import os
from pathlib import Path

folders: dict[str, Path] = {}  # "input" is the one that pictures are loaded from
_EXTENSIONS = (".ckpt", ".pt", ".pt2", ".bin", ".pth", ".safetensors", ".pkl", ".sft")


def get_filename_list(folder_name: str) -> list[str]:
    """Unknown folders are a KeyError, as there."""
    if folder_name not in ("text_encoders", "clip_vision", "checkpoints"):
        raise KeyError(folder_name)
    folder = folders.get(folder_name)
    if folder is None:
        return []
    files = [path for path in folder.rglob("*") if path.suffix in _EXTENSIONS]
    return sorted(str(path.relative_to(folder)) for path in files)


def get_full_path(folder_name: str, filename: str) -> str | None:
    folder = folders.get(folder_name)
    path = folder / filename if folder else None
    return str(path) if path and os.path.isfile(path) else None


def get_input_directory() -> str:
    return str(folders["input"])
