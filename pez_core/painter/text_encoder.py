"""The embedded CLIP's text tower and tokenizer in the classes of transformers."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..clip.model_names import DEMO_FOLDER
from ..clip.weights_file import WeightsFile
from ..errors import ModelError
from ..hub.configuration import read_json
from ..text.bpe import load_byte_pairs

# open_clip pads with token 0, "!", whose row is zero here. transformers would take every "!" of a
# text for padding as well, as it does with Stable Diffusion 2, so padding is a token of its own.
PAD = "<|pad|>"
CONTEXT_LENGTH = 77
_START, _END = "<|startoftext|>", "<|endoftext|>"
_NAMES = {
    "ln_1": "layer_norm1", "ln_2": "layer_norm2", "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2",
    "attn.out_proj": "self_attn.out_proj",
}  # fmt: skip


def build_text_encoder(folder: Path = DEMO_FOLDER) -> Any:
    """A CLIPTextModelWithProjection, float32, in eval mode, from a folder in open_clip's layout.
    Its hidden states are (B, 77, W); its `text_embeds` (B, D) are CLIP's features of the texts,
    before they are normalised. Raises ModelError if transformers does not take the weights."""
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    config = read_json(folder / "open_clip_config.json")["model_cfg"]
    text = config["text_cfg"]
    model = CLIPTextModelWithProjection(
        CLIPTextConfig(
            vocab_size=text["vocab_size"] + 1,
            hidden_size=text["width"],
            intermediate_size=4 * text["width"],
            num_hidden_layers=text["layers"],
            num_attention_heads=text["heads"],
            max_position_embeddings=text["context_length"],
            projection_dim=config["embed_dim"],
            hidden_act="gelu",
            pad_token_id=text["vocab_size"],
            bos_token_id=49406,
            eos_token_id=49407,
        )
    )
    weights = _renamed(WeightsFile(folder / "open_clip_model.safetensors"))
    missing, unexpected = model.load_state_dict(
        {name: value.float().contiguous() for name, value in weights.items()}, strict=False
    )
    if unexpected or any("position_ids" not in name for name in missing):
        raise ModelError(
            f"{folder}: transformers builds another text encoder of these weights ({missing}, "
            f"{unexpected}): use another version of it"
        )
    return model.eval().requires_grad_(False)


def build_tokenizer() -> Any:
    """CLIP's CLIPTokenizer, which pads with `PAD`."""
    from transformers import CLIPTokenizer

    with tempfile.TemporaryDirectory() as folder:
        _write_tokenizer(Path(folder))
        return CLIPTokenizer.from_pretrained(folder)


def _write_tokenizer(folder: Path) -> None:
    """Writes the tokenizer's files in the format of transformers."""
    pairs = load_byte_pairs()
    symbols = [*pairs.symbols[:-2], _START, _END, PAD]
    ids = {symbol: number for number, symbol in enumerate(symbols)}
    (folder / "vocab.json").write_text(json.dumps(ids, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *pairs.merges]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    settings = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": CONTEXT_LENGTH,
        "do_lower_case": True,
        "bos_token": _START, "eos_token": _END, "unk_token": _END, "pad_token": PAD,
    }  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")


def _renamed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The text tower's weights under the names of transformers."""
    rows = weights["token_embedding.weight"]
    table = torch.cat([rows, rows.new_zeros(1, rows.shape[1])])
    found: dict[str, Tensor] = {
        "text_model.embeddings.token_embedding.weight": table,
        "text_model.embeddings.position_embedding.weight": weights["positional_embedding"],
        "text_projection.weight": weights["text_projection"].T,
    }
    for name in weights:
        if name.startswith("ln_final."):
            place = "text_model.final_layer_norm."
            found[name.replace("ln_final.", place)] = weights[name]
        if not name.startswith("transformer.resblocks."):
            continue
        layer, rest = name.removeprefix("transformer.resblocks.").split(".", 1)
        place = f"text_model.encoder.layers.{layer}."
        if rest.startswith("attn.in_proj_"):
            kind = rest.removeprefix("attn.in_proj_")
            for part, rows in zip("qkv", weights[name].chunk(3), strict=True):
                found[f"{place}self_attn.{part}_proj.{kind}"] = rows.clone()
            continue
        stem, kind = rest.rsplit(".", 1)
        found[f"{place}{_NAMES[stem]}.{kind}"] = weights[name]
    return found
