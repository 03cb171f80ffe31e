"""Model folders as libraries lay them out, with small random weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import save_file

from tests.towers import architecture, open_clip_model, text_cfg

ARCH = architecture("quick_gelu")
CONFIG = {
    "embed_dim": ARCH.embed_dim, "quick_gelu": True,
    "text_cfg": text_cfg(ARCH), "vision_cfg": ARCH.vision,
}  # fmt: skip
PICTURE = Image.new("RGB", (40, 30), "orange")


def save(model: torch.nn.Module, path: Path) -> Path:
    save_file({k: v.contiguous().clone() for k, v in model.state_dict().items()}, path)
    return path


def open_clip_folder(folder: Path) -> Any:
    """open_clip's own folder layout; the model that is in it."""
    model = open_clip_model(ARCH)
    save(model, folder / "open_clip_model.safetensors")
    config = {"model_cfg": CONFIG, "preprocess_cfg": {"interpolation": "bilinear"}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return model
