"""The architecture of a CLIP: sizes, heads, activation, preprocessing. It is read from a file,
never guessed.

Two notations are supported: open_clip's (`open_clip_config.json` and its own registry) and Hugging
Face's `config.json`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ModelError
from ..hub.configuration import Section, read_json, shown
from .vision_config import checked_preprocess, checked_vision

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)
TOKENS, POSITIONS = 49408, 77  # of CLIP's tokeniser and its context
_MOST_ADDED = 1000  # rows after CLIP's tokens that training has added; more are another tokeniser
LONG_CLIP = 248  # positions
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
_TEXT_SIZES = ("context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio")
# Settings of text towers that are refused above, and of open_clip's tokeniser, which is not used.
_TEXT_IGNORED = (
    "pad_id", "eos_id", "output_tokens", "tokenizer_mode", "hf_model_pretrained", "hf_proj_type",
    "hf_pooler_type",
)  # fmt: skip


@dataclass(frozen=True)
class Architecture:
    """The architecture of one CLIP. `vision` is open_clip's vision_cfg; None for a text encoder
    without an image tower. `preprocess`: the known entries of its preprocess_cfg. vocab_size: the
    rows of the token table; those after CLIP's own tokens are not used."""

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
    model_cfg: Any, preprocess_cfg: Any = None, *, name: str, place: str = ""
) -> Architecture:
    """The architecture of an open_clip model configuration. place: before the names of its
    entries, for messages.

    Raises ModelError when an entry is unknown or malformed, and when its text tower is not CLIP's
    causal transformer with CLIP's vocabulary.
    """
    model = Section({"model_cfg": model_cfg}, name).section("model_cfg")
    model = Section(model.entries, name, place)
    if "text_cfg" not in model.entries or "embed_dim" not in model.entries:
        raise ModelError(f"{name}: not an open_clip configuration (no text_cfg or embed_dim)")
    text = model.section("text_cfg")
    values = text.entries
    odd = {k: values[k] for k, v in _CLIP_TEXT_DEFAULTS.items() if values.get(k, v) != v}
    if odd or model.entries.get("multimodal_cfg"):
        found = ", ".join(f"{k}: {shown(v)}" for k, v in odd.items()) or "multimodal"
        raise ModelError(
            f"{name}: its text encoder is not CLIP's causal transformer ({found}); "
            "choose a CLIP model with the standard text encoder, such as ViT-L-14 or ViT-H-14"
        )
    text.require_known((*_TEXT_SIZES, *_CLIP_TEXT_DEFAULTS, *_TEXT_IGNORED))
    width = text.whole("width", 512)
    vision = None
    if model.entries.get("vision_cfg") is not None:
        vision = checked_vision(model.section("vision_cfg"))
    preprocess = {} if preprocess_cfg is None else preprocess_cfg
    return _checked(
        Architecture(
            embed_dim=model.whole("embed_dim", 0),
            width=width,
            layers=text.whole("layers", 12),
            heads=text.whole("heads", 8),
            activation="quick_gelu" if model.one_of("quick_gelu", (False, True)) else "gelu",
            mlp_width=int(width * text.number("mlp_ratio", 4.0, 0.01, 100)),
            vocab_size=text.whole("vocab_size", TOKENS, most=10_000_000),
            context_length=text.whole("context_length", POSITIONS),
            vision=vision,
            preprocess=checked_preprocess(
                Section({"preprocess_cfg": preprocess}, name).section("preprocess_cfg")
            ),
        ),
        name,
    )


def from_hugging_face(config: dict[str, Any], *, name: str) -> Architecture:
    """The architecture of a Hugging Face `config.json`, of a whole CLIP or of a text encoder
    alone. Raises ModelError as `from_open_clip` does."""
    kind = config.get("model_type")
    if kind not in ("clip", "clip_text_model"):
        raise ModelError(
            f"{name}: a configuration of model_type {shown(kind)}: give that of a CLIP"
        )
    # Absent keys mean transformers' defaults, those of ViT-B-32.
    whole = Section(config, name)
    text = _part(whole, "text_config", whole)
    holder = whole if config.get("projection_dim") else text
    return _checked(
        Architecture(
            embed_dim=holder.whole("projection_dim", 512),
            width=text.whole("hidden_size", 512),
            layers=text.whole("num_hidden_layers", 12),
            heads=text.whole("num_attention_heads", 8),
            activation=_activation(text),
            mlp_width=text.whole("intermediate_size", 2048),
            vocab_size=text.whole("vocab_size", TOKENS, most=10_000_000),
            context_length=text.whole("max_position_embeddings", POSITIONS),
            vision=_vision(whole, _activation(text)) if kind == "clip" else None,
            preprocess={},
        ),
        name,
    )


def read_architecture(path: Path) -> Architecture:
    """The architecture in a JSON file of either notation. Raises ModelError for any other file."""
    config = read_json(path)
    if "model_cfg" in config:
        model, preprocess = config["model_cfg"], config.get("preprocess_cfg")
        return from_open_clip(model, preprocess, name=str(path), place="model_cfg.")
    if "text_cfg" in config:
        return from_open_clip(config, name=str(path))
    return from_hugging_face(config, name=str(path))


def _part(whole: Section, name: str, default: Section) -> Section:
    """The configuration of one tower. Old files have it as NAME_dict."""
    found = next((n for n in (name, f"{name}_dict") if whole.entries.get(n)), None)
    return whole.section(found) if found else default


def _vision(whole: Section, of_text: str) -> dict[str, Any]:
    vision = _part(whole, "vision_config", Section({}, whole.source, "vision_config."))
    of_images = _activation(vision)
    if of_text != of_images:
        raise ModelError(
            f"{whole.source}: the text tower has the activation {of_text} and the image tower "
            f"{of_images}; open_clip builds only models with the same activation in both"
        )
    width, heads = vision.whole("hidden_size", 768), vision.whole("num_attention_heads", 12)
    if width % heads:
        vision.refuse("num_attention_heads", f"a divisor of the width {width}")
    sizes = {
        "image_size": vision.whole("image_size", 224),
        "patch_size": vision.whole("patch_size", 32),
        "width": width,
        "layers": vision.whole("num_hidden_layers", 12),
        "head_width": width // heads,
        "mlp_ratio": vision.whole("intermediate_size", 3072) / width,
    }
    return checked_vision(Section(sizes, whole.source, vision.place))


def _activation(tower: Section) -> str:
    name: str = tower.one_of("hidden_act", ("quick_gelu", "gelu"))
    return name


def _checked(arch: Architecture, name: str) -> Architecture:
    if arch.context_length == LONG_CLIP:
        raise ModelError(
            f"{name}: text encoders of {LONG_CLIP} positions (Long-CLIP) are not supported yet: "
            f"give a CLIP of {POSITIONS} positions"
        )
    if not 0 <= arch.vocab_size - TOKENS <= _MOST_ADDED or arch.context_length != POSITIONS:
        raise ModelError(
            f"{name}: {arch.vocab_size} tokens and {arch.context_length} positions, but CLIP has "
            f"{TOKENS} and {POSITIONS}: other tokenisers and contexts are not supported"
        )
    if arch.width % arch.heads:
        raise ModelError(
            f"{name}: the width {arch.width} is not a multiple of the {arch.heads} heads"
        )
    return arch
