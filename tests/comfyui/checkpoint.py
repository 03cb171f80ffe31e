"""Writes the model files of these tests: random weights under the names and in the sizes that
ComfyUI's own classes have.

A checkpoint of Stable Diffusion 1.5 with a true CLIP-L text encoder, the smallest UNet that is
recognised, and TAESD as its VAE; the same text encoder as a complete CLIP-L file; a LoRA for it.
Run in a process of its own, since importing ComfyUI changes what `nodes` means. But: they paint
nothing anybody would recognise.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

CHECKPOINT = "sd15-random.safetensors"
CLIP_L = "clip-l-random.safetensors"  # text_encoders/ and clip_vision/
CLIP_L_BARE = "clip-l-bare-random.safetensors"  # text_encoders/: no text_projection, no image tower
LORA = "clip-l-random-lora.safetensors"
FOLDERS = ("checkpoints", "text_encoders", "clip_vision", "loras", "diffusion_models")
_PREFIX = "lora_te_text_model_encoder_layers_"  # kohya's


@dataclass(frozen=True)
class Parts:
    """The networks before they are written, with the names ComfyUI's classes give."""

    text: dict[str, Tensor]  # with text_projection.weight
    vision: dict[str, Tensor]  # with visual_projection.weight
    unet: dict[str, Tensor]
    vae: dict[str, Tensor]


def write_models(checkout: Path, folder: Path) -> None:
    """Fills `folder` with the sub-folders of FOLDERS; 1.3 GB, about ten seconds."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), str(folder)],
        capture_output=True, text=True, cwd=checkout, env=environment, timeout=300, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr


def randomise(network: nn.Module, seed: int) -> dict[str, Tensor]:
    """The state dict with fresh values: scaled by the fan-in, so that activations stay near 1."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    state = network.state_dict()
    for name, value in state.items():
        noise = torch.randn(value.shape, generator=generator)
        if value.ndim < 2:
            norm = name.endswith("weight")  # only norms have weights of one dimension
            state[name] = noise * 0.05 + (1.0 if norm else 0.0)
        else:
            state[name] = noise / value[0].numel() ** 0.5
    return {name: value.half() for name, value in state.items()}


def build_parts() -> Parts:
    """All networks, built by the ComfyUI that can be imported."""
    import comfy.clip_model
    import comfy.ops
    import torch
    from comfy.taesd.taesd import TAESD

    ops = comfy.ops.disable_weight_init
    shared = (torch.float32, "cpu", ops)
    text = comfy.clip_model.CLIPTextModel(_config("sd1_clip_config.json"), *shared)
    vision = comfy.clip_model.CLIPVisionModelProjection(
        _config("clip_vision_config_vitl.json"), *shared
    )
    vae = {
        name: value
        for name, value in randomise(TAESD(), 4).items()
        if name not in ("vae_scale", "vae_shift")
    }
    return Parts(randomise(text, 1), randomise(vision, 2), randomise(_unet(ops), 3), vae)


def _config(name: str) -> dict[str, Any]:
    import json

    import comfy

    folder = Path(next(iter(comfy.__path__)))
    config: dict[str, Any] = json.loads((folder / name).read_text())
    return config


def _unet(operations: Any) -> nn.Module:
    """One level, one block each way, one transformer: it makes the context 768 wide, as
    ComfyUI's recognition of SD 1.5 asks (`comfy/supported_models.py`), with 320 channels."""
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

    network: nn.Module = UNetModel(
        image_size=32, in_channels=4, out_channels=4, model_channels=320, num_res_blocks=[1],
        channel_mult=[1], num_heads=8, use_spatial_transformer=True, context_dim=768,
        transformer_depth=[1], transformer_depth_output=[0, 0], transformer_depth_middle=-1,
        use_linear_in_transformer=False, legacy=False, operations=operations,
    )  # fmt: skip
    return network


def lora(text: dict[str, Tensor], unet: dict[str, Tensor], rank: int = 4) -> dict[str, Tensor]:
    """A LoRA that changes the text encoder, and a layer of the UNet, about as much as the weights
    are large."""
    import torch

    generator = torch.Generator().manual_seed(5)
    weights = {
        f"{_PREFIX}{layer}_mlp_{linear}": text[
            f"text_model.encoder.layers.{layer}.mlp.{linear}.weight"
        ]
        for layer in range(12)
        for linear in ("fc1", "fc2")
    }
    for name, weight in unet.items():
        if name.endswith("attn2.to_k.weight"):  # reads the words
            weights["lora_unet_" + name.removesuffix(".weight").replace(".", "_")] = weight
    state = {}
    for key, weight in weights.items():
        height, width = weight.shape
        down = torch.randn(rank, width, generator=generator) / width**0.5
        up = torch.randn(height, rank, generator=generator) / rank**0.5
        state[f"{key}.lora_down.weight"] = down.half()
        state[f"{key}.lora_up.weight"] = up.half()
        state[f"{key}.alpha"] = torch.tensor(float(rank)).half()
    return state


def main(folder: Path) -> None:
    """Writes every file, and CLIP-L a second time as a link."""
    import comfy.options

    comfy.options.enable_args_parsing(False)
    from comfy.cli_args import args

    args.cpu = True
    from safetensors.torch import save_file

    for name in FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    parts = build_parts()
    bare = {k: v for k, v in parts.text.items() if k != "text_projection.weight"}
    whole = {
        **{f"model.diffusion_model.{k}": v for k, v in parts.unet.items()},
        **{f"first_stage_model.{k}": v for k, v in parts.vae.items()},
        **{f"cond_stage_model.transformer.{k}": v for k, v in bare.items()},
    }
    complete = {**parts.text, **parts.vision}
    save_file(whole, folder / "checkpoints" / CHECKPOINT)
    save_file(bare, folder / "text_encoders" / CLIP_L_BARE)
    save_file(complete, folder / "text_encoders" / CLIP_L)
    (folder / "clip_vision" / CLIP_L).symlink_to(folder / "text_encoders" / CLIP_L)
    save_file(lora(parts.text, parts.unet), folder / "loras" / LORA)
    save_file(parts.unet, folder / "diffusion_models" / CHECKPOINT)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
