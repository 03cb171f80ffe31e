"""SDXL in small: the files of its two encoders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from pez_core.clip.image_tower import preprocessing
from pez_core.clip.source import Source
from tests.support.nodes_graph import SMALL
from tests.support.nodes_support import Comfy, example
from tests.support.towers import hugging_face_model

# CLIP-L and CLIP-G in small: other widths, other features, other image towers.
BIG = replace(
    SMALL, width=128, heads=2, mlp_width=512, embed_dim=40,
    vision={"image_size": 48, "patch_size": 16, "width": 32, "layers": 1, "head_width": 16},
)  # fmt: skip
ARCHS = {"sdxl-l": SMALL, "sdxl-g": BIG}


class Files:
    """The files of SDXL's two encoders. missing: those that are not there."""

    def __init__(self, models: dict[str, Any], folder: Path) -> None:
        self.models, self.folder = models, folder
        self.missing: set[str] = set()
        self.asked: list[str] = []

    @classmethod
    def save(cls, folder: Path) -> Files:
        """Writes them to a folder."""
        models = {}
        for seed, (name, arch) in enumerate(ARCHS.items(), start=5):
            models[name] = hugging_face_model(arch, seed)
            state = {key: value.contiguous() for key, value in models[name].state_dict().items()}
            save_file(state, folder / f"{name}.safetensors")
        return cls(models, folder)

    def find(self, comfy: Comfy, name: str) -> Source:
        self.asked.append(name)
        if name in self.missing:
            raise comfy.errors.ModelError(f"{name} is not on this machine")
        source = comfy.module("pez_core.clip.source").Source
        return source(name, ARCHS[name], self.folder / f"{name}.safetensors")

    @torch.no_grad()
    def pictures(self) -> list[Tensor]:
        """Of the example by transformers' own image towers, (1, E) each."""
        seen = []
        for name, model in self.models.items():
            pixels = preprocessing(ARCHS[name])(example())[None]
            output = model.get_image_features(pixels)
            seen.append(F.normalize(getattr(output, "pooler_output", output), dim=-1))
        return seen
