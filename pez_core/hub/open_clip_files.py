"""Single files of open_clip without the whole package: its lists of models, and the folder of its
file of merges.

`import open_clip` also imports torchvision and, if it is installed, transformers. This takes 4 to 7
s (measured with `-X importtime` on two cores). This module is a package with open_clip's folder as
its path. So a file imported from here finds its neighbours as usual, and `open_clip/__init__.py`
does not run.

But: a file that cannot be imported this way, because open_clip has moved it, comes from the whole
package.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import ModelError

_spec = find_spec("open_clip")  # finds the package without running it
__path__ = list(_spec.submodule_search_locations or ()) if _spec else []


def part(name: str) -> Any:
    """One file of open_clip as a module, such as "pretrained". Raises ModelError without open_clip.

    A package that is already loaded is used as it is: it knows the models registered with it.
    """
    require()
    if "open_clip" not in sys.modules:
        try:
            return import_module(f".{name}", __name__)
        except (ImportError, AttributeError):
            pass
    return import_module(f"open_clip.{name}")


def model_config(architecture: str) -> dict[str, Any] | None:
    """open_clip's configuration of an architecture; None for an unknown name."""
    require()
    if "open_clip" not in sys.modules:
        for folder in __path__:
            file = Path(folder, "model_configs", f"{architecture}.json")
            if file.is_file():
                config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
                return config
    whole: Any = import_module("open_clip")
    found: dict[str, Any] | None = whole.get_model_config(architecture)
    return found


def require() -> None:
    """Raises ModelError without open_clip."""
    if not __path__ and "open_clip" not in sys.modules:
        raise ModelError("the package open_clip_torch is missing: pip install open_clip_torch")
