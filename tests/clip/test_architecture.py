"""Configurations in both notations: read as their own libraries do, or refused by name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from transformers import CLIPModel

from pez_core import load_model
from pez_core.clip.image_tower import preprocessing
from pez_core.clip.model_names import find_model
from pez_core.errors import ModelError
from tests.support.folders import ARCH, CONFIG, PICTURE, open_clip_folder
from tests.support.towers import hugging_face_config, randomise


def text_tower_of_open_clip(config: dict[str, Any]) -> Any:
    """The text tower that open_clip builds for a configuration, without memory for its weights."""
    vision = {"layers": 1, "width": 64, "image_size": 32}
    quick = config.get("quick_gelu", False)
    with torch.device("meta"):
        return open_clip.CustomTextCLIP(
            config["embed_dim"], vision, config["text_cfg"], quick_gelu=quick
        ).text


def test_every_architecture_of_open_clip_is_read_rightly_or_refused() -> None:
    """Those that are read have the sizes, heads, activation and read-out of the text tower that
    open_clip builds; all others are refused."""
    read, built = 0, {}
    for name in open_clip.list_models():
        try:
            arch = find_model(f"{name}:a.safetensors").arch
        except ModelError:
            continue
        read += 1
        config = open_clip.get_model_config(name)
        kind = json.dumps([config["embed_dim"], config["text_cfg"], config.get("quick_gelu")])
        if kind not in built:
            built[kind] = text_tower_of_open_clip(config)
        text = built[kind]
        block = text.transformer.resblocks[0]
        assert tuple(text.token_embedding.weight.shape) == (arch.vocab_size, arch.width), name
        assert tuple(text.text_projection.shape) == (arch.width, arch.embed_dim), name
        assert len(text.transformer.resblocks) == arch.layers, name
        assert (block.attn.num_heads, block.mlp.c_fc.out_features) == (arch.heads, arch.mlp_width)
        assert type(block.mlp.gelu).__name__.lower() == arch.activation.replace("_", ""), name
        assert text.pool_type == "argmax" and text.attn_mask is not None, name
    assert read > 50


BROKEN: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "no JSON": (lambda c: "{", "cannot read the configuration"),
    "a list": (lambda c: [c], "is not a JSON object"),
    "empty": (lambda c: {}, "model_type None: give that of a CLIP"),
    "another model": (lambda c: {"model_type": "siglip"}, "model_type 'siglip': give that of"),
    "no sizes": (lambda c: {"model_cfg": {"text_cfg": {}}}, "not an open_clip configuration"),
    "a text for a size": (lambda c: {**c, "embed_dim": "many"}, "is 'many'.*whole number"),
    "a negative size": (lambda c: {**c, "embed_dim": -1}, "embed_dim is -1.*whole number from 1"),
    "odd heads": (
        lambda c: {**c, "text_cfg": {**c["text_cfg"], "heads": 5}}, "32 is not a multiple of the 5",
    ),
    "no heads": (
        lambda c: {**c, "text_cfg": {**c["text_cfg"], "heads": 0}}, "heads is 0.*whole number",
    ),
    "other words": (
        lambda c: {**c, "text_cfg": {**c["text_cfg"], "vocab_size": 32000}},
        "32000 tokens.*not supported",
    ),
    "a shorter context": (
        lambda c: {**c, "text_cfg": {**c["text_cfg"], "context_length": 32}},
        "49408 tokens and 32 positions.*not supported",
    ),
    "no causal mask": (
        lambda c: {**c, "text_cfg": {**c["text_cfg"], "no_causal_mask": True}}, "not CLIP's causal",
    ),
    "model_cfg a list": (lambda c: {"model_cfg": [c]}, "model_cfg is .*but must be an object"),
    "an unknown activation": (
        lambda c: {"model_type": "clip_text_model", "hidden_act": "relu"}, "'relu'.*one of",
    ),
    "no image heads": (
        lambda c: {"model_type": "clip", "vision_config": {"num_attention_heads": 0}},
        "vision_config.num_attention_heads is 0",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_configuration_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    """Whatever is wrong with it, the message names the file and what was wrong."""
    change, message = BROKEN[kind]
    open_clip_folder(tmp_path)
    path = tmp_path / "open_clip_config.json"
    broken = change(CONFIG)
    path.write_text(broken if isinstance(broken, str) else json.dumps(broken))
    with pytest.raises(ModelError, match=rf"(?s)(?=.*{re.escape(str(path))}).*{message}"):
        load_model(str(tmp_path))


def test_a_hugging_face_activation_of_the_image_tower_is_not_ignored(tmp_path: Path) -> None:
    """A CLIP whose towers differ in activation is computed as transformers does, or refused."""
    config = hugging_face_config(ARCH)
    config.vision_config.hidden_act = "gelu"
    model = randomise(CLIPModel(config), 0)
    model.save_pretrained(tmp_path)
    try:
        loaded = load_model(str(tmp_path))
        ours = loaded.encode_pictures([PICTURE])
    except ModelError as error:
        assert "gelu" in str(error)
        return
    pixels = preprocessing(loaded.source.arch)(PICTURE)[None]
    theirs = model.get_image_features(pixels)
    theirs = torch.nn.functional.normalize(getattr(theirs, "pooler_output", theirs), dim=-1)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
