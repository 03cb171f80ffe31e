"""The pictures of the example workflows. ComfyUI loads pictures from its own input folder alone."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import folder_paths

from ..pez_core.batch.whole_file import whole_file

FOLDER = "pez"  # in ComfyUI's input folder
PICTURES = Path(__file__).parents[1] / "examples"


def copy_pictures(names: Iterable[str]) -> list[str]:
    """Puts the example pictures among these names of input pictures where ComfyUI finds them. What
    is there already stays. Returns the names that can be loaded."""
    ours = {f"{FOLDER}/{p.relative_to(PICTURES).as_posix()}": p for p in PICTURES.rglob("*.png")}
    found = []
    for name in names:
        target = Path(folder_paths.get_input_directory(), name)
        if name not in ours:
            continue
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                with whole_file(target) as file, ours[name].open("rb") as picture:
                    shutil.copyfileobj(picture, file)
        except OSError:  # a read-only or full disk: the node says that its picture is missing
            continue
        found.append(name)
    return found
