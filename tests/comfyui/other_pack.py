"""The custom-node pack "other-pack", copied into the server's custom nodes: another author's pack
with a package `pez_core` of its own, and the nodes with which the tests look inside ComfyUI.

It puts its folder on `sys.path`, as packs should not and many do.
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parent))
import pez_core  # noqa: E402

from . import pez_core as own_pez_core  # type: ignore[attr-defined]  # noqa: E402


def report(found: dict[str, Any]) -> dict[str, Any]:
    """A node's return value that carries `found` into the history."""
    return {"ui": {"report": [found]}, "result": ()}


def module_of_the_pack(name: str) -> Any:
    """A module of the pack under test, which has the name of its path."""
    return next(m for key, m in sys.modules.items() if key.endswith(f"/pez-prompts.{name}"))


class Probe:
    """A node at the end of a graph. ComfyUI runs it anew every time."""

    CATEGORY = "other"
    FUNCTION = "run"
    OUTPUT_NODE = True
    RETURN_TYPES: tuple[str, ...] = ()

    @classmethod
    def IS_CHANGED(cls, **inputs: Any) -> float:
        return float("nan")


class Owner(Probe):
    """Whose `pez_core` this pack gets, however it asks."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {}}

    def run(self) -> dict[str, Any]:
        import pez_core as late

        top_level = [pez_core.OWNER, late.OWNER, sys.modules["pez_core"].OWNER]
        return report({"top_level": top_level, "relative": own_pez_core.OWNER})


class Memory(Probe):
    """ComfyUI's list of loaded models, and the process's resident memory in MiB."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {}}

    def run(self) -> dict[str, Any]:
        import comfy.model_management as management
        import psutil

        gc.collect()
        models = [loaded.model for loaded in management.current_loaded_models]
        names = [type(patcher.model).__name__ for patcher in models if patcher is not None]
        modules = [type(patcher.model).__module__ for patcher in models if patcher is not None]
        resident = psutil.Process().memory_info().rss / 2**20
        return report({"models": names, "modules": modules, "resident": resident})


class Ids(Probe):
    """The token ids that ComfyUI's tokeniser for SD 1.5 makes of texts (a JSON list), without
    start, end and padding; and their weights. `escape`: by the pack under test, before."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        texts = ("STRING", {"multiline": True})
        return {"required": {"texts": texts, "escape": ("BOOLEAN", {"default": False})}}

    def run(self, texts: str, escape: bool) -> dict[str, Any]:
        from comfy.sd1_clip import SD1Tokenizer

        change = module_of_the_pack("nodes.run.prompt_text").escape if escape else str
        tokenizer, ids, weights = SD1Tokenizer(), [], []
        for text in map(change, json.loads(texts)):
            pairs = [
                (int(token), weight)
                for chunk in tokenizer.tokenize_with_weights(text)["l"]
                for token, weight in chunk
                if token not in (49406, 49407)
            ]
            ids.append([token for token, _ in pairs])
            weights.append(sorted({weight for _, weight in pairs}))
        return report({"ids": ids, "weights": weights})


class Conditioning(Probe):
    """What a CONDITIONING is like: enough to tell two apart."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"conditioning": ("CONDITIONING",)}}

    def run(self, conditioning: Any) -> dict[str, Any]:
        tensor = conditioning[0][0].float()
        return report({"shape": list(tensor.shape), "first": tensor[0, :4, :4].flatten().tolist()})


class Values(Probe):
    """The values that come out of a node, as the next one gets them."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        texts = ("STRING", {"forceInput": True})
        return {"required": {"text": texts}, "optional": {"similarity": ("FLOAT", {})}}

    def run(self, text: str, similarity: float = 0.0) -> dict[str, Any]:
        return report({"text": text, "similarity": similarity})


class Picture:
    """An IMAGE that no loader gives: `kind` says what is odd about it."""

    CATEGORY = "other"
    FUNCTION = "run"
    RETURN_TYPES = ("IMAGE",)
    KINDS = {
        "noise": (1, 224, 224, 3),
        "batch": (3, 64, 48, 3),
        "empty batch": (0, 64, 64, 3),
        "not a number": (1, 64, 64, 3),
        "one pixel": (1, 1, 1, 3),
        "alpha": (1, 64, 64, 4),
        "grey": (1, 64, 64, 1),
    }

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"kind": (list(cls.KINDS),), "seed": ("INT", {"default": 0})}}

    def run(self, kind: str, seed: int) -> tuple[torch.Tensor]:
        generator = torch.Generator().manual_seed(seed)
        picture = torch.rand(self.KINDS[kind], generator=generator)
        if kind == "not a number":
            picture[0, 3, 3, 0] = float("nan")
        return (picture,)


NODE_CLASS_MAPPINGS = {
    f"Other_{node.__name__}": node for node in (Owner, Memory, Ids, Conditioning, Values, Picture)
}
