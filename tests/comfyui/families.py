"""Prints, as JSON, the errors that the pack's ranking measures with small random models of several
families, and those of a plain loop over ComfyUI's own models.

    python -m tests.comfyui.families CHECKOUT

Run in a process of its own, since importing ComfyUI changes what `nodes` means.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tests.support.load_pack import import_pack

LEVELS, STEPS, SEED, NOISE = 4, 10, 5, 2
PROMPTS = ["", "a cat", "a long red dog"]
UNET = {
    "model_channels": 64, "image_size": 32, "in_channels": 4, "out_channels": 4,
    "num_res_blocks": [2, 2, 2, 2], "channel_mult": [1, 2, 4, 4],
    "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0], "transformer_depth_output": [1] * 9 + [0] * 3,
    "transformer_depth_middle": 1, "num_heads": 8, "num_head_channels": -1, "legacy": False,
    "use_spatial_transformer": True, "adm_in_channels": None,
}  # fmt: skip
FLUX = {
    "image_model": "flux", "in_channels": 16, "out_channels": 16, "patch_size": 2,
    "vec_in_dim": 32, "context_in_dim": 48, "hidden_size": 64, "mlp_ratio": 4.0, "num_heads": 2,
    "depth": 2, "depth_single_blocks": 2, "axes_dim": [8, 12, 12], "theta": 10000,
    "qkv_bias": True, "guidance_embed": True, "yak_mlp": False, "txt_ids_dims": [],
}  # fmt: skip
Z_IMAGE = {
    "image_model": "lumina2", "patch_size": 2, "in_channels": 16, "dim": 256, "n_layers": 2,
    "n_heads": 8, "n_kv_heads": 8, "cap_feat_dim": 48, "axes_dims": [8, 12, 12],
    "axes_lens": [300, 512, 512], "rope_theta": 256.0, "qk_norm": True, "z_image_modulation": True,
    "time_scale": 1000.0, "ffn_dim_multiplier": 1.0,
}  # fmt: skip
QWEN = {
    "image_model": "qwen_image", "in_channels": 64, "out_channels": 16, "num_layers": 2,
    "attention_head_dim": 32, "num_attention_heads": 2, "joint_attention_dim": 48,
    "axes_dims_rope": (8, 12, 12),
}  # fmt: skip
# By the class of comfy.supported_models: its configuration, the latent's shape, and the widths of
# the words' states and of the text's feature.
FAMILIES: dict[str, tuple[dict[str, Any], tuple[int, ...], int, int]] = {
    "SD15": (UNET, (1, 4, 8, 8), 768, 768),
    "Flux": (FLUX, (1, 16, 8, 8), 48, 32),
    "ZImage": (Z_IMAGE, (1, 16, 8, 8), 48, 32),
    "QwenImage": (QWEN, (1, 16, 1, 8, 8), 48, 32),
}


class Reader:
    """A text encoder whose conditioning of a text is random."""

    def __init__(self, width: int, pooled: int) -> None:
        self.width, self.pooled = width, pooled

    def tokenize(self, text: str) -> str:
        return text

    def encode_from_tokens_scheduled(self, text: str) -> list[Any]:
        generator = torch.Generator().manual_seed(len(text))
        words = torch.randn(1, 77, self.width, generator=generator)
        return [[words, {"pooled_output": torch.randn(1, self.pooled, generator=generator)}]]


class Eye:
    """A VAE that sees the same in every picture."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.latent = torch.randn(shape, generator=torch.Generator().manual_seed(1))

    def encode(self, image: Tensor) -> Tensor:
        del image
        return self.latent


def random_model(name: str, config: dict[str, Any]) -> Any:
    """A model with random weights in ComfyUI's holder. Its last layers are random too: as built
    they are zero."""
    import comfy.model_patcher
    import comfy.supported_models
    from comfy.ldm.flux.model import FluxParams

    if name == "Flux":  # an older ComfyUI knows fewer of its settings
        known = FluxParams.__dataclass_fields__.keys() | {"image_model"}
        config = {key: value for key, value in config.items() if key in known}
    kind = getattr(comfy.supported_models, name)
    own = kind.unet_config if name == "SD15" else {}
    described = kind({**own, **config})
    described.set_inference_dtype(torch.float32, None)
    model = described.get_model({}, "", device="cpu")
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.02, generator=generator)
    cpu = torch.device("cpu")
    return comfy.model_patcher.ModelPatcher(model.eval(), load_device=cpu, offload_device=cpu)


def plain_errors(
    patcher: Any, latent: Tensor, condition: list[Any], noise_seed: int
) -> list[float]:
    """The same by hand: no guider, no sampler, one pass of the model for each level."""
    import comfy.samplers

    model = patcher.model
    words, more = condition[0]
    clean = model.process_latent_in(latent)
    given = model.extra_conds(
        noise=clean, device=clean.device, cross_attn=words, latent_image=clean, seed=0,
        prompt_type="positive", width=8 * clean.shape[-1], height=8 * clean.shape[-2], **more,
    )  # fmt: skip
    conds = {name: value.process_cond(1).cond for name, value in given.items()}
    generator = torch.Generator().manual_seed(noise_seed)
    sigmas = comfy.samplers.calculate_sigmas(model.model_sampling, "simple", STEPS)[:LEVELS]
    found = []
    for sigma in sigmas:
        noise = torch.randn(clean.shape, generator=generator)
        noisy = model.model_sampling.noise_scaling(sigma, noise, clean)
        predicted = model.apply_model(
            noisy, sigma.expand(1), transformer_options={"sample_sigmas": sigmas}, **conds
        )
        found.append((predicted - clean).square().mean().item())
    return found


@torch.inference_mode()
def main(checkout: Path) -> None:
    sys.path.insert(0, str(checkout))
    import comfy.options

    comfy.options.enable_args_parsing(False)
    import comfy.cli_args

    comfy.cli_args.args.cpu = True
    import comfy.supported_models

    pack = import_pack(str(Path(__file__).resolve().parents[2]))
    graph = importlib.import_module(f"{pack.__name__}.nodes.run.denoising")
    noise_of = importlib.import_module(f"{pack.__name__}.pez_core.painter.settings").noise_of
    found = {}
    for name, (config, shape, width, pooled) in FAMILIES.items():
        if not hasattr(comfy.supported_models, name):
            continue  # came later
        model, eye, reader = random_model(name, config), Eye(shape), Reader(width, pooled)
        picture = torch.zeros(1, 64, 64, 3)
        painter = graph.GraphPainter(model, eye, reader)
        judged = graph.GraphErrors(painter, picture, SEED, LEVELS)
        errors = judged.errors(PROMPTS, NOISE)
        plain = [
            plain_errors(
                model, eye.latent, reader.encode_from_tokens_scheduled(p), noise_of(SEED, NOISE)
            )
            for p in PROMPTS
        ]
        found[name] = {
            "errors": errors.tolist(),
            "plain": plain,
            "again": judged.errors(PROMPTS[::-1], NOISE).flip(0).equal(errors),
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
