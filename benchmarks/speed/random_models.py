"""CLIPs of the true sizes with random weights, as folders that `load_model` reads.

Speed and memory depend on shapes, not on weights.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from pez_core.clip.architecture import Architecture, from_open_clip
from pez_core.clip.vision import plain
from pez_core.hub.open_clip_files import model_config

# An open_clip configuration of the smallest useful size, for dry runs.
TINY: dict[str, Any] = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "patch_size": 16, "width": 48, "layers": 2, "head_width": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 4, "layers": 2},
}


def config_of(name: str) -> dict[str, Any]:
    """open_clip's configuration of an architecture; "tiny" and "tiny-2" are our own."""
    if name.startswith("tiny"):
        return TINY
    config = model_config(name)
    if config is None:
        raise SystemExit(f"open_clip has no architecture {name!r}")
    return config


def architecture_of(name: str) -> Architecture:
    """The architecture of one of `config_of`'s names."""
    return from_open_clip(config_of(name), name=name)


def random_state(
    arch: Architecture, dtype: torch.dtype, pictures: bool = True
) -> dict[str, Tensor]:
    """The tensors of a CLIP under open_clip's names, random, in one precision. pictures: of its
    image tower too."""
    vision = arch.vision
    assert vision is not None
    d, m = arch.width, arch.mlp_width
    with torch.device("meta"):
        tower = plain(vision, arch.embed_dim, arch.activation)
    assert tower is not None
    visual = tower.state_dict().items() if pictures else ()
    shapes = {f"visual.{k}": tuple(v.shape) for k, v in visual}
    shapes |= {
        "token_embedding.weight": (arch.vocab_size, d), "ln_final.weight": (d,),
        "positional_embedding": (arch.context_length, d), "ln_final.bias": (d,),
        "text_projection": (d, arch.embed_dim),
    }  # fmt: skip
    of_block = {
        "ln_1.weight": (d,), "ln_1.bias": (d,), "ln_2.weight": (d,), "ln_2.bias": (d,),
        "attn.in_proj_weight": (3 * d, d), "attn.in_proj_bias": (3 * d,),
        "attn.out_proj.weight": (d, d), "attn.out_proj.bias": (d,), "mlp.c_fc.weight": (m, d),
        "mlp.c_fc.bias": (m,), "mlp.c_proj.weight": (d, m), "mlp.c_proj.bias": (d,),
    }  # fmt: skip
    for i in range(arch.layers):
        shapes |= {f"transformer.resblocks.{i}.{k}": shape for k, shape in of_block.items()}
    tile = (torch.randn(2**20 - 1) * 0.02).to(dtype)  # an odd length, so that no two rows are equal
    sizes = {k: torch.Size(shape).numel() for k, shape in shapes.items()}
    return {k: tile.repeat(-(-n // len(tile)))[:n].view(shapes[k]) for k, n in sizes.items()}


def write_model(name: str, folder: Path, dtype: torch.dtype, pictures: bool = True) -> Path:
    """Write a model with random weights into `folder / name`, and return that path. pictures: with
    its image tower."""
    where = folder / name
    where.mkdir(parents=True, exist_ok=True)
    config = {"model_cfg": config_of(name), "preprocess_cfg": {}}
    (where / "open_clip_config.json").write_text(json.dumps(config), encoding="utf-8")
    state = random_state(architecture_of(name), dtype, pictures)
    save_file(state, where / "open_clip_model.safetensors")
    return where
