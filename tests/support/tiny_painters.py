"""Small random pipelines of the families that people paint with, in memory.

Stable Diffusion 1.x is `tiny_pipeline`. The tokenizers of T5 know a handful of words.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from pez_core.painter.text_encoder import build_text_encoder, build_tokenizer
from tests.support.tiny_pipeline import autoencoder, unet

WORDS = ("a", "red", "blue", "square", "circle")
WIDTH = 32  # of T5's states
SHIFT = 0.1  # of the latents of newer autoencoders


def sdxl() -> Any:
    """Stable Diffusion XL with both text encoders, which predicts velocities."""
    import diffusers

    network = unet(
        cross_attention_dim=256,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=192 + 6 * 8,
    )
    return diffusers.StableDiffusionXLPipeline(
        vae=autoencoder(),
        **_two_clips(),
        unet=network,
        scheduler=diffusers.EulerDiscreteScheduler(prediction_type="v_prediction"),
        add_watermarker=False,
    )


def sd3() -> Any:
    """Stable Diffusion 3 with all three text encoders."""
    import diffusers

    return diffusers.StableDiffusion3Pipeline(
        transformer=diffusers.SD3Transformer2DModel(
            sample_size=8,
            in_channels=16,
            num_layers=1,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=256,
            caption_projection_dim=16,
            pooled_projection_dim=2 * 192,
            out_channels=16,
            pos_embed_max_size=8,
        ),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=autoencoder(16, SHIFT),
        **_two_clips(),
        text_encoder_3=_t5(256),
        tokenizer_3=_words(),
    )


def flux() -> Any:
    """Flux.1, which packs its latents and gets the guidance as an input."""
    import diffusers

    return diffusers.FluxPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=autoencoder(16, SHIFT),
        text_encoder=_clip(),
        tokenizer=build_tokenizer(),
        text_encoder_2=_t5(WIDTH),
        tokenizer_2=_words(),
        transformer=diffusers.FluxTransformer2DModel(
            in_channels=64,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=WIDTH,
            pooled_projection_dim=WIDTH,
            guidance_embeds=True,
            axes_dims_rope=(4, 6, 6),
        ),
    )


FAMILIES: dict[str, Callable[[], Any]] = {"SDXL": sdxl, "SD 3": sd3, "Flux.1": flux}


def save_family(name: str, folder: Path, seed: int = 0) -> Path:
    """Builds a pipeline with random weights and writes it to a folder."""
    with torch.random.fork_rng(), torch.inference_mode(False):
        torch.manual_seed(seed)
        FAMILIES[name]().save_pretrained(folder)
    return folder


def _two_clips() -> dict[str, Any]:
    """The embedded CLIP as both text encoders of a pipeline."""
    return {
        "text_encoder": build_text_encoder(), "text_encoder_2": build_text_encoder(),
        "tokenizer": build_tokenizer(), "tokenizer_2": build_tokenizer(),
    }  # fmt: skip


def _clip() -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel

    config = CLIPTextConfig(
        vocab_size=49409,
        hidden_size=WIDTH,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        pad_token_id=49408,
        bos_token_id=49406,
        eos_token_id=49407,
    )
    return CLIPTextModel(config)


def _t5(width: int) -> Any:
    from transformers import T5Config, T5EncoderModel

    config = T5Config(
        vocab_size=16, d_model=width, d_kv=width // 2, d_ff=32, num_layers=1, num_heads=2
    )  # fmt: skip
    return T5EncoderModel(config)


def _words() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    ids = {word: number for number, word in enumerate(("<pad>", "<unk>", "</s>", *WORDS))}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", eos_token="</s>",
        model_max_length=512,
    )  # fmt: skip
