"""Small CLIPs with random weights, as open_clip and transformers build and run them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import open_clip
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pez_core.clip.architecture import Architecture
from pez_core.clip.block import Block
from pez_core.clip.text_tower import TextTower
from pez_core.clip.weights import load_text_tower
from pez_core.text.vocabulary import clip_vocabulary

ACTIVATIONS = ("gelu", "quick_gelu")
TEXTS = (
    "",
    "dog",
    "a photo of a red car, parked",
    "the quick brown fox jumps over the lazy dog " * 4,
    "one two three " * 40,  # longer than the context, so it is cut
)


def architecture(activation: str = "gelu", **changes: Any) -> Architecture:
    """A CLIP of the smallest useful size."""
    small = Architecture(
        embed_dim=24, width=32, layers=2, heads=4, activation=activation, mlp_width=128,
        vocab_size=49408, context_length=77, preprocess={},
        vision={"image_size": 32, "patch_size": 16, "width": 48, "layers": 2, "head_width": 16},
    )  # fmt: skip
    return replace(small, **changes)


def randomise(module: nn.Module, seed: int) -> nn.Module:
    """Fills every parameter, biases and norms included, so that none can be left out unseen."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim < 2:
                parameter.copy_(noise * 0.2 + (1.0 if name.endswith("weight") else 0.0))
            else:
                parameter.copy_(noise / parameter[0].numel() ** 0.5)
    return module.eval().requires_grad_(False)


def text_cfg(arch: Architecture) -> dict[str, Any]:
    """open_clip's text_cfg of an architecture."""
    return {
        "context_length": arch.context_length, "vocab_size": arch.vocab_size,
        "width": arch.width, "heads": arch.heads, "layers": arch.layers,
        "mlp_ratio": arch.mlp_width / arch.width,
    }  # fmt: skip


def open_clip_model(arch: Architecture, seed: int = 0, *, custom: bool = False) -> Any:
    """open_clip's CLIP, or its CustomTextCLIP, whose text tensors have the prefix `text.`."""
    kind = open_clip.CustomTextCLIP if custom else open_clip.CLIP
    quick = arch.activation == "quick_gelu"
    return randomise(kind(arch.embed_dim, arch.vision, text_cfg(arch), quick_gelu=quick), seed)


def hugging_face_config(arch: Architecture) -> Any:
    """transformers' CLIPConfig of an architecture."""
    from transformers import CLIPConfig

    shared = {"hidden_act": arch.activation, "projection_dim": arch.embed_dim}
    text = {
        "hidden_size": arch.width, "num_hidden_layers": arch.layers,
        "num_attention_heads": arch.heads, "intermediate_size": arch.mlp_width,
        "vocab_size": arch.vocab_size, **shared,
    }  # fmt: skip
    assert arch.vision is not None
    vision = {
        "hidden_size": arch.vision["width"], "num_hidden_layers": arch.vision["layers"],
        "num_attention_heads": arch.vision["width"] // arch.vision["head_width"],
        "intermediate_size": 4 * arch.vision["width"], "image_size": arch.vision["image_size"],
        "patch_size": arch.vision["patch_size"], **shared,
    }  # fmt: skip
    return CLIPConfig(text_config=text, vision_config=vision, projection_dim=arch.embed_dim)


def hugging_face_model(arch: Architecture, seed: int = 0) -> Any:
    """transformers' CLIPModel."""
    from transformers import CLIPModel

    return randomise(CLIPModel(hugging_face_config(arch)), seed)


@torch.no_grad()
def open_clip_features(model: Any, texts: Sequence[str] = TEXTS) -> Tensor:
    """Unit features by open_clip's own tokeniser and forward, (N, E)."""
    return model.encode_text(open_clip.tokenize(list(texts)), normalize=True)


@torch.no_grad()
def hugging_face_features(model: Any, texts: Sequence[str] = TEXTS) -> Tensor:
    """Unit features by transformers' own forward, (N, E); padded with the end token, as its
    tokeniser does."""
    ids = open_clip.tokenize(list(texts))
    end = clip_vocabulary().end
    behind = (ids == end).cumsum(dim=1) > 0
    if hasattr(model, "get_text_features"):
        output = model.get_text_features(ids.masked_fill(behind, end))
        output = getattr(output, "pooler_output", output)
    else:
        output = model(ids.masked_fill(behind, end)).text_embeds
    return F.normalize(output, dim=-1)


def sequences(texts: Sequence[str] = TEXTS) -> list[list[int]]:
    """The ids of texts with start and end, at most 77, for `TextTower.encode_ids`."""
    words = clip_vocabulary()
    return [[words.start, *words.encode(text)[:75], words.end] for text in texts]


def text_tower(arch: Architecture, seed: int = 0) -> TextTower:
    """The text tower of `open_clip_model(arch, seed)`."""
    return load_text_tower(open_clip_model(arch, seed).state_dict(), arch, source="a test")


def double(tower: TextTower) -> TextTower:
    """The same tower with every tensor in float64."""

    def widen(owner: Any) -> dict[str, Tensor]:
        values = {f.name: getattr(owner, f.name) for f in fields(owner)}
        return {name: v.double() for name, v in values.items() if isinstance(v, Tensor)}

    blocks = tuple(Block(**widen(block)) for block in tower.blocks)
    return replace(tower, blocks=blocks, **widen(tower))


def small_tower(activation: str = "gelu", *, seed: int = 0, **changes: Any) -> TextTower:
    """A float64 tower over a vocabulary of 600, whose last two ids are start and end."""
    sizes = {"width": 64, "layers": 3, "mlp_width": 256, "embed_dim": 32, "vocab_size": 600}
    return double(text_tower(architecture(activation, **{**sizes, **changes}), seed))


def unit_rows(count: int, width: int, seed: int) -> Tensor:
    """Random unit vectors in float64, (count, width)."""
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(count, width, generator=generator, dtype=torch.float64), dim=-1)
