"""Model folders as libraries lay them out, with small random weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import save_file

from pez_core.clip.architecture import Architecture
from tests.support.towers import architecture, open_clip_model, text_cfg

ARCH = architecture("quick_gelu")
# Another CLIP in every size that may differ.
OTHER = architecture(
    "gelu", embed_dim=40, width=48, layers=3, heads=3, mlp_width=96,
    vision={"image_size": 48, "patch_size": 16, "width": 32, "layers": 1, "head_width": 16},
)  # fmt: skip


def config(arch: Architecture) -> dict[str, Any]:
    """open_clip's model_cfg."""
    return {
        "embed_dim": arch.embed_dim, "quick_gelu": arch.activation == "quick_gelu",
        "text_cfg": text_cfg(arch), "vision_cfg": arch.vision,
    }  # fmt: skip


CONFIG = config(ARCH)
PICTURE = Image.new("RGB", (40, 30), "orange")


def save(model: torch.nn.Module, path: Path) -> Path:
    save_file({k: v.contiguous().clone() for k, v in model.state_dict().items()}, path)
    return path


def open_clip_folder(folder: Path, arch: Architecture = ARCH, seed: int = 0) -> Any:
    """open_clip's own folder layout; the model that is in it."""
    folder.mkdir(exist_ok=True)
    model = open_clip_model(arch, seed)
    save(model, folder / "open_clip_model.safetensors")
    described = {"model_cfg": config(arch), "preprocess_cfg": {"interpolation": "bilinear"}}
    (folder / "open_clip_config.json").write_text(json.dumps(described))
    return model
