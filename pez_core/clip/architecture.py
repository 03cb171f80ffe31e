"""The architecture of a CLIP: sizes, heads, activation, preprocessing. It is read from a file,
never guessed.

Two notations are supported: open_clip's (`open_clip_config.json` and its own registry) and Hugging
Face's `config.json`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ModelError

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)
# Settings of open_clip's text_cfg that can change the tower to another one than CLIP's. With these
# values, or absent, they have no effect.
_CLIP_TEXT_DEFAULTS: dict[str, Any] = {
    "hf_model_name": None, "hf_tokenizer_name": None, "tokenizer_kwargs": None,
    "ls_init_value": None, "embed_cls": False, "no_causal_mask": False,
    "final_ln_after_pool": False, "pool_type": "argmax", "proj_bias": False,
    "proj_type": "linear", "act_kwargs": None, "norm_kwargs": None, "block_type": None,
    "qk_norm": False, "scaled_cosine_attn": False, "scale_heads": False,
    "scale_attn_inner": False, "scale_attn": False, "scale_fc": False,
}  # fmt: skip


@dataclass(frozen=True)
class Architecture:
    """The architecture of one CLIP. `vision` is open_clip's vision_cfg; None for a text encoder
    without an image tower."""

    embed_dim: int
    width: int
    layers: int
    heads: int
    activation: str  # a key of block.ACTIVATIONS
    mlp_width: int
    vocab_size: int
    context_length: int
    vision: dict[str, Any] | None
    preprocess: dict[str, Any]


def from_open_clip(
    model_cfg: dict[str, Any], preprocess_cfg: dict[str, Any] | None = None, *, name: str
) -> Architecture:
    """The architecture of an open_clip model configuration.

    Raises ModelError when its text tower is not CLIP's causal transformer with CLIP's vocabulary.
    """
    text = model_cfg.get("text_cfg")
    if not isinstance(text, dict) or "embed_dim" not in model_cfg:
        raise ModelError(f"{name}: not an open_clip configuration (no text_cfg or embed_dim)")
    odd = {k: text[k] for k, v in _CLIP_TEXT_DEFAULTS.items() if text.get(k, v) != v}
    if odd or model_cfg.get("multimodal_cfg"):
        raise ModelError(
            f"{name}: its text encoder is not CLIP's causal transformer ({odd or 'multimodal'}); "
            "choose a CLIP model with the standard text encoder, such as ViT-L-14 or ViT-H-14"
        )
    width = text.get("width", 512)
    return _checked(
        Architecture(
            embed_dim=model_cfg["embed_dim"],
            width=width,
            layers=text.get("layers", 12),
            heads=text.get("heads", 8),
            activation="quick_gelu" if model_cfg.get("quick_gelu") else "gelu",
            mlp_width=int(width * text.get("mlp_ratio", 4.0)),
            vocab_size=text.get("vocab_size", 49408),
            context_length=text.get("context_length", 77),
            vision=model_cfg.get("vision_cfg"),
            preprocess=dict(preprocess_cfg or {}),
        ),
        name,
    )


def from_hugging_face(config: dict[str, Any], *, name: str) -> Architecture:
    """The architecture of a Hugging Face `config.json`, of a whole CLIP or of a text encoder
    alone."""
    kind = config.get("model_type")
    if kind not in ("clip", "clip_text_model"):
        raise ModelError(f"{name}: a configuration of model_type {kind!r}: give that of a CLIP")
    # Absent keys mean transformers' defaults, those of ViT-B-32.
    text = config.get("text_config") or config.get("text_config_dict") or config
    embed_dim = config.get("projection_dim") or text.get("projection_dim", 512)
    width = text.get("hidden_size", 512)
    activation = _activation(text.get("hidden_act", "quick_gelu"), name)
    return _checked(
        Architecture(
            embed_dim=embed_dim,
            width=width,
            layers=text.get("num_hidden_layers", 12),
            heads=text.get("num_attention_heads", 8),
            activation=activation,
            mlp_width=text.get("intermediate_size", 2048),
            vocab_size=text.get("vocab_size", 49408),
            context_length=text.get("max_position_embeddings", 77),
            vision=_vision(config, activation, name) if kind == "clip" else None,
            preprocess={},
        ),
        name,
    )


def read_architecture(path: Path) -> Architecture:
    """The architecture in a JSON file of either notation. Raises ModelError for any other file."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read the configuration {path}: {error}") from error
    if not isinstance(config, dict):
        raise ModelError(f"the configuration {path} is not a JSON object")
    try:
        if "model_cfg" in config:
            return from_open_clip(config["model_cfg"], config.get("preprocess_cfg"), name=str(path))
        if "text_cfg" in config:
            return from_open_clip(config, name=str(path))
        return from_hugging_face(config, name=str(path))
    except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        raise ModelError(
            f"the configuration {path} is incomplete or malformed: {error!r}"
        ) from error


def _vision(config: dict[str, Any], of_text: str, name: str) -> dict[str, Any]:
    vision = config.get("vision_config") or config.get("vision_config_dict") or {}
    of_images = vision.get("hidden_act", "quick_gelu")
    if of_text != of_images:
        raise ModelError(
            f"{name}: the text tower has the activation {of_text} and the image tower {of_images}; "
            "open_clip builds only models with the same activation in both"
        )
    width = vision.get("hidden_size", 768)
    heads = vision.get("num_attention_heads", 12)
    return {
        "image_size": vision.get("image_size", 224),
        "patch_size": vision.get("patch_size", 32),
        "width": width,
        "layers": vision.get("num_hidden_layers", 12),
        "head_width": width // heads,
        "mlp_ratio": vision.get("intermediate_size", 3072) / width,
    }


def _activation(name: str, source: str) -> str:
    if name not in ("gelu", "quick_gelu"):
        raise ModelError(f"{source}: the activation {name!r} is not one of gelu and quick_gelu")
    return name


def _checked(arch: Architecture, name: str) -> Architecture:
    numbers = {
        k: v for k, v in vars(arch).items() if k not in ("activation", "vision", "preprocess")
    }
    wrong = {k: v for k, v in numbers.items() if not isinstance(v, int) or v < 1}
    if wrong:
        raise ModelError(f"{name}: sizes must be positive whole numbers, got {wrong}")
    if arch.vocab_size != 49408 or arch.context_length != 77:
        raise ModelError(
            f"{name}: {arch.vocab_size} tokens and {arch.context_length} positions, but CLIP has "
            "49408 and 77: other tokenisers are not supported"
        )
    if arch.width % arch.heads:
        raise ModelError(
            f"{name}: the width {arch.width} is not a multiple of the {arch.heads} heads"
        )
    return arch
