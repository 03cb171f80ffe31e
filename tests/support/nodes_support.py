"""Runs the nodes as ComfyUI does, with stubs in ComfyUI's place: the pack under a name like a path,
every widget at its default, in inference mode. The fixtures are in `nodes_fixtures`."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from tests.support.load_pack import import_pack
from tests.support.payloads import assert_viewed

ROOT = Path(__file__).resolve().parents[2]
CONTROL = "control_after_generate"  # the widget that the front end puts after a seed
STUBS = Path(__file__).parents[1] / "stubs"
NODE, PROMPT = "3:2", "a prompt's id"
DEMO = "demo (clip-art only)"
PRESETS = [
    "SD 1.5",
    "SD 2.x",
    "SDXL",
    "SDXL (CLIP-G alone)",
    "SD 3.5 (in part)",
    "Flux.1 (CLIP-L: weak)",
    DEMO,
]


@dataclass(frozen=True)
class Loaded:
    """The pack, and the stubs that it has found in ComfyUI's place."""

    pack: ModuleType
    stubs: dict[str, ModuleType]


def load(folder: Path) -> Loaded:
    """The pack in a folder. Nothing of the stubs is left on sys.path or in sys.modules."""
    names = [
        ".".join(path.relative_to(STUBS).with_suffix("").parts).removesuffix(".__init__")
        for path in STUBS.rglob("*.py")
    ]
    assert not set(names) & set(sys.modules), "a stub would hide a module of the same name"
    sys.path.insert(0, str(STUBS))
    try:
        for name in names:
            importlib.import_module(name)
        pack = import_pack(str(folder))
        for path in (folder / "nodes").rglob("*.py"):
            name = ".".join(path.relative_to(folder).with_suffix("").parts)
            importlib.import_module(f"{pack.__name__}.{name.removesuffix('.__init__')}")
    finally:
        sys.path.remove(str(STUBS))
        stubs = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    return Loaded(pack, stubs)


def unload(loaded: Loaded) -> None:
    name = loaded.pack.__name__
    for module in [m for m in sys.modules if m == name or m.startswith(f"{name}.")]:
        del sys.modules[module]


class Comfy:
    """A ComfyUI for one test."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self.mm: Any = loaded.stubs["comfy.model_management"]
        self.folders: dict[str, Path] = loaded.stubs["folder_paths"].folders
        self.bar: list[Any] = loaded.stubs["comfy.utils"].shown
        self.server: Any = loaded.stubs["server"].PromptServer()

    def stub(self, name: str) -> Any:
        return self._loaded.stubs[name]

    def module(self, name: str) -> Any:
        """A module of the pack: `nodes.live`, `pez_core.errors`."""
        return importlib.import_module(f"{self._loaded.pack.__name__}.{name}")

    @property
    def errors(self) -> Any:
        """The pack's own error classes: it has its own copy of pez_core."""
        return self.module("pez_core.errors")

    @property
    def nodes(self) -> dict[str, Any]:
        nodes = self.module("nodes")
        found = (
            nodes.ImageToHardPrompt, nodes.PromptMixer, nodes.PromptRanker, nodes.TokenViewer,
        )  # fmt: skip
        return {node.define_schema().node_id: node for node in found}

    def put(self, label: str, state: Mapping[str, Tensor]) -> Path:
        """Writes a state dict as FOLDER/NAME of ComfyUI's model folders."""
        folder, _, name = label.partition("/")
        path = self.folders[folder] / name
        path.parent.mkdir(exist_ok=True)
        save_file({key: value.contiguous().clone() for key, value in state.items()}, path)
        return path

    def offered(self) -> list[str]:
        """The entries after the presets in the drop-down of models."""
        inputs = self.nodes["PEZ_PromptMixer"].define_schema().inputs
        (options,) = (part.options["options"] for part in inputs if part.id == "model")
        assert options[: len(PRESETS)] == PRESETS
        return list(options[len(PRESETS) :])

    def run(self, node_id: str, **inputs: Any) -> Any:
        """What a node returns, its widgets at their defaults but for `inputs`."""
        node = self.nodes[f"PEZ_{node_id}"]
        hidden = self.stub("comfy_api.latest").io.Hidden
        schema = node.define_schema()
        assert set(inputs) <= {i.id for i in schema.inputs}, "no such input"
        given = {i.id: i.options["default"] for i in schema.inputs if "default" in i.options}
        clone = node.PREPARE_CLASS_CLONE({hidden.unique_id: NODE})
        with torch.inference_mode():
            return clone.execute(**{**given, **inputs})

    def learn(self, image: Tensor, **inputs: Any) -> Any:
        """Image→Hard Prompt, tiny: two prompts of three words for five steps."""
        tiny = {"model": DEMO, "preset": "default", "tokens": 3, "steps": 5, "restarts": 2}
        return self.run("ImageToHardPrompt", image=image, **{**tiny, **inputs})

    def mix(self, **inputs: Any) -> Any:
        """The Prompt Mixer, small."""
        small = {"model": DEMO, "preset": "default", "tokens": 3, "vocabulary": "words"}
        return self.run("PromptMixer", **{**small, **inputs})

    def view(self, **inputs: Any) -> Any:
        return self.run("TokenViewer", **inputs)


def image_of(*pictures: Image.Image) -> Tensor:
    """Pictures of one size as an IMAGE, as a loader makes it: an inference tensor."""
    with torch.inference_mode():
        values = np.stack([np.asarray(picture.convert("RGB")) for picture in pictures])
        return torch.from_numpy(values).float() / 255


def example(name: str = "watermelon") -> Image.Image:
    """A picture that the embedded model knows."""
    return Image.open(ROOT / "examples" / f"{name}.png").convert("RGB").resize((64, 64))


def edits(source: str, **changes: Any) -> str:
    """The Token Viewer's edits of a text, as the front end saves them."""
    none = {"locked": [], "banned": [], "replaced": {}}
    return json.dumps({"schema": 1, "source": source, **none, **changes})


def viewed(out: Any) -> dict[str, Any]:
    """What the Token Viewer sends to the front end, as it arrives there."""
    return assert_viewed(json.loads(json.dumps(out.ui)))


def schema_of(comfy: Comfy, node_id: str) -> Any:
    return comfy.nodes[node_id].define_schema()


def output_name(output: Any) -> str:
    return output.display_name or output.id
