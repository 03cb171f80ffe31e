"""Normalised features of pictures and token ids from an open_clip `CLIP`."""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from open_clip.model import CLIP
from torch import Tensor

from .config import MEAN, STD

# On a processor without bfloat16, emulation is ten times slower than float32.
BFLOAT16 = bool(torch.cpu.get_capabilities().get("avx512_bf16"))


def normalise_pictures(pictures: Tensor) -> Tensor:
    """Pictures (B, 3, H, W) in 0..1, normalised for CLIP, channels last."""
    mean, std = (pictures.new_tensor(v).view(1, 3, 1, 1) for v in (MEAN, STD))
    return ((pictures - mean) / std).contiguous(memory_format=torch.channels_last)


def picture_features(model: CLIP, pictures: Tensor) -> Tensor:
    """Unit features (B, D) of pictures (B, 3, H, W) in 0..1."""
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=BFLOAT16 and model.training):
        features = model.visual(normalise_pictures(pictures))
    return functional.normalize(features.float(), dim=-1)


def prompt_features(model: CLIP, embedded: Tensor, end: Tensor) -> Tensor:
    """Unit features (B, D) of embedded tokens (B, L, W) with the end tokens at `end` (B,).

    The transformer is causal, so tokens after the end token have no effect and L may be short.
    """
    length = embedded.shape[1]
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=BFLOAT16 and model.training):
        hidden = embedded + model.positional_embedding[:length]
        hidden = model.transformer(hidden, attn_mask=model.attn_mask[:length, :length])
        read_out = model.ln_final(hidden[torch.arange(len(hidden)), end])
        features = read_out @ model.text_projection
    return functional.normalize(features.float(), dim=-1)


def token_features(model: CLIP, ids: Tensor, end: Tensor) -> Tensor:
    """Unit features (B, D) of token ids (B, L)."""
    return prompt_features(model, model.token_embedding(ids), end)
