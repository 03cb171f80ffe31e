"""A Stable Diffusion pipeline with small random weights, in diffusers' own folder layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from open_clip.tokenizer import SimpleTokenizer

from pez_core.text.vocabulary import clip_vocabulary

SIDE = 64  # pixels of what it paints
SPECIAL = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}


def save_pipeline(folder: Path, seed: int = 0) -> Path:
    """Builds a pipeline and writes it to a folder: 7 MB, most of it CLIP's vocabulary."""
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    with torch.random.fork_rng(), torch.inference_mode(False):
        torch.manual_seed(seed)
        pipeline = StableDiffusionPipeline(
            vae=autoencoder(),
            text_encoder=_text_encoder(),
            tokenizer=_tokenizer(folder),
            unet=unet(),
            scheduler=DDIMScheduler(clip_sample=False, set_alpha_to_one=False, steps_offset=1),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    pipeline.save_pretrained(folder)
    return folder


def _tokenizer(folder: Path) -> object:
    """CLIP's, from open_clip's file of merges, which names its two special tokens differently."""
    from transformers import CLIPTokenizer

    own = SimpleTokenizer()
    folder.mkdir(parents=True, exist_ok=True)
    vocab, merges = folder / "vocab.json", folder / "merges.txt"
    vocab.write_text(json.dumps({SPECIAL.get(k, k): i for k, i in own.encoder.items()}))
    pairs = "\n".join(" ".join(pair) for pair in own.bpe_ranks)
    merges.write_text(f"#version: 0.2\n{pairs}\n", encoding="utf-8")
    # From the folder, as the names of its arguments differ between versions of transformers.
    return CLIPTokenizer.from_pretrained(folder, model_max_length=77)


def _text_encoder() -> object:
    from transformers import CLIPTextConfig, CLIPTextModel

    vocabulary = clip_vocabulary()
    config = CLIPTextConfig(
        vocab_size=vocabulary.size,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        bos_token_id=vocabulary.start,
        eos_token_id=vocabulary.end,
        pad_token_id=vocabulary.end,
    )
    return CLIPTextModel(config)


def unet(**changes: Any) -> Any:
    """The smallest UNet with attention to a text."""
    from diffusers import UNet2DConditionModel

    sizes = {
        "sample_size": SIDE // 8, "in_channels": 4, "out_channels": 4, "layers_per_block": 1,
        "block_out_channels": (8, 16), "cross_attention_dim": 16, "attention_head_dim": 4,
        "norm_num_groups": 4, "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    }  # fmt: skip
    return UNet2DConditionModel(**{**sizes, **changes})


def autoencoder(channels: int = 4, shift: float | None = None) -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=channels,
        norm_num_groups=4,
        shift_factor=shift,
    )
