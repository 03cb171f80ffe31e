"""What the loaders of a graph give: a CLIP and a CLIP_VISION, made in inference mode."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from pez_core.clip.architecture import Architecture
from tests.support.nodes_support import Comfy
from tests.support.towers import architecture, hugging_face_config, randomise

SMALL = architecture("gelu", width=64, heads=1, mlp_width=256)  # reads the whole vocabulary
# CLIP-L's width with next to nothing else: 600 tokens and one layer.
LARGE = architecture("quick_gelu", width=768, heads=12, layers=1, mlp_width=128, vocab_size=600)
WIDE = replace(LARGE, width=1024, heads=16, activation="gelu", embed_dim=1024)


class Encoder(nn.Module):
    """One text encoder of a graph, as ComfyUI wraps it."""

    def __init__(self, transformer: nn.Module) -> None:
        super().__init__()
        self.transformer = transformer


class Clip:
    """A CLIP object: its encoders, made by a loader in inference mode, and its patcher."""

    def __init__(self, comfy: Comfy, **encoders: nn.Module | None) -> None:
        self.cond_stage_model = nn.Module()
        for name, transformer in encoders.items():
            module = None if transformer is None else Encoder(transformer)
            self.cond_stage_model.add_module(name, module)
        self.share(comfy)

    def share(self, comfy: Comfy) -> None:
        device = comfy.mm.get_torch_device()
        patcher = comfy.stub("comfy.model_patcher").ModelPatcher
        self.patcher: Any = patcher(self.cond_stage_model, device, device)

    def with_lora(self, comfy: Comfy, differences: dict[str, Tensor], strength: float) -> Clip:
        """As a LoRA loader makes it: other patches on the same module."""
        other = object.__new__(Clip)
        other.cond_stage_model = self.cond_stage_model
        other.share(comfy)
        other.patcher.add_patches({k: ("diff", (d,)) for k, d in differences.items()}, strength)
        return other


@torch.inference_mode()
def text_model(arch: Architecture = SMALL, seed: int = 1) -> Any:
    """transformers' text encoder of a loader: its weights are inference tensors."""
    from transformers import CLIPTextModelWithProjection

    return randomise(CLIPTextModelWithProjection(hugging_face_config(arch).text_config), seed)


class Vision:
    """A CLIP_VISION: its image encoder is one layer, made by a loader in inference mode."""

    def __init__(self, dim: int = 24, width: int = 48) -> None:
        with torch.inference_mode():
            self.layer = nn.Sequential(nn.LayerNorm(3), nn.Linear(3, dim))
            patches = nn.Conv2d(3, width, 14, bias=False)
        embeddings = nn.Module()
        embeddings.add_module("patch_embedding", patches)
        self.model = nn.Module()
        self.model.vision_model = nn.Module()
        self.model.vision_model.embeddings = embeddings
        self.batches: list[int] = []

    def encode_image(self, image: Tensor) -> dict[str, Tensor]:
        """From outside of inference mode an error, as its weights are inference tensors."""
        self.batches.append(len(image))
        return {"image_embeds": 9 * self.layer(image.mean(dim=(1, 2)))}
