"""Loads the pack in a process of its own, as ComfyUI's loader does, and prints what it found as
JSON.

Run with the pack's folder as the only argument, and with `comfy_api` (ComfyUI's, or the stub)
importable. The module's name is the folder's path, as in ComfyUI's `load_custom_node`.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import sys
from types import ModuleType
from typing import Any


def import_pack(folder: str) -> ModuleType:
    """The pack as a module under a name like a path."""
    name = folder.replace(".", "_x_")
    spec = importlib.util.spec_from_file_location(name, os.path.join(folder, "__init__.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


async def describe(module: ModuleType) -> dict[str, Any]:
    """What ComfyUI asks the entry point for, and what remains after the import."""
    from comfy_api.latest import ComfyExtension

    extension = await module.comfy_entrypoint()
    node_list = await extension.get_node_list()
    top_level = {"pez_core", "nodes", "torch", "open_clip", "huggingface_hub"}
    return {
        "is_extension": isinstance(extension, ComfyExtension),
        "is_list": isinstance(node_list, list),
        "node_ids": [node.GET_SCHEMA().node_id for node in node_list],
        "web": module.WEB_DIRECTORY,
        "modules": sorted(top_level.intersection(sys.modules)),
    }


def without_gpu() -> None:
    """As `main.py --cpu` does; the nodes import ComfyUI's memory management, which looks for a
    device at once."""
    try:
        import comfy.options
    except ImportError:  # the stub has no options
        return
    comfy.options.enable_args_parsing(False)
    from comfy.cli_args import args

    args.cpu = True


if __name__ == "__main__":
    without_gpu()
    path_before = list(sys.path)
    found = asyncio.run(describe(import_pack(sys.argv[1])))
    found["path_kept"] = sys.path == path_before
    print(json.dumps(found))
