"""What a pipeline's folder may name: classes of diffusers and transformers, and the embedded
painter's denoiser, and nothing else.

diffusers imports the modules that `model_index.json` names, and files with code next to the
weights; some versions do so without permission.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import ModelError
from ..hub.configuration import read_json, shown
from ..language_model.folder_check import check_folder, configured

OWN = ["pez_core.painter.denoiser", "PatchDenoiser"]


def check_pipeline(folder: Path) -> None:
    """Raises ModelError, which names the file and the entry, for a folder whose pipeline or parts
    are not classes of diffusers and transformers, or whose configurations ask for code or for other
    models."""
    import diffusers

    index = folder / "model_index.json"
    entries = read_json(index)
    name = entries.get("_class_name")
    kind = _class(diffusers, name)
    if kind is None or not issubclass(kind, diffusers.DiffusionPipeline):
        _refuse(index, "_class_name", name, "a pipeline of diffusers")
    for name, value in entries.items():
        if isinstance(value, list) and any(isinstance(part, str | dict) for part in value):
            _check_part(index, name, value)
        elif isinstance(value, str | dict) and not name.startswith("_"):
            _refuse(index, name, value, "a number, a truth value or a list")
    for part in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
        # diffusers prefers such a file to the installed library of its name.
        code = next(part.glob("*.py"), None)
        if code is not None:
            raise ModelError(f"{code}: code of a model is not run: remove the file")
        check_folder(part)
        for path, name, value in configured(part):
            if name == "auto_map" and value:
                _refuse(path, name, value, "left out: code of a model is not run")


def _check_part(index: Path, name: str, value: list[Any]) -> None:
    """A part is a library and a class of it, or a module of diffusers' pipelines and a class."""
    import diffusers
    import transformers

    expected = "the library diffusers or transformers and one of its classes"
    if len(value) != 2 or not all(isinstance(part, str) for part in value):
        _refuse(index, name, value, expected)
    library, kind = value
    if value == OWN:
        allowed: Any = True
    elif library == "diffusers":
        found = _class(diffusers, kind)
        allowed = found and issubclass(found, (diffusers.ModelMixin, diffusers.SchedulerMixin))
    elif library == "transformers":
        allowed = _class(transformers, kind)
    else:
        module = getattr(diffusers.pipelines, library, None) if library.isidentifier() else None
        allowed = _class(module, kind)
    if not allowed:
        _refuse(index, name, value, expected)


def _class(module: Any, name: Any) -> Any:
    """A class of a module by its plain name; None if it has no such class."""
    found = getattr(module, name, None) if isinstance(name, str) and name.isidentifier() else None
    return found if isinstance(found, type) and hasattr(found, "from_pretrained") else None


def _refuse(path: Path, name: str, value: Any, expected: str) -> None:
    raise ModelError(f"{path}: {shown(name)} is {shown(value)}, but must be {expected}")
