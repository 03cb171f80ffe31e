"""Sizes of a configuration are compared with the file's header before anything is built."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from pez_core import load_model
from pez_core.clip import image_tower
from pez_core.errors import PezError
from tests.support.folders import ARCH, CONFIG, PICTURE, save
from tests.support.towers import hugging_face_model, open_clip_model

RESNET = {"image_size": 64, "layers": [1, 2, 2, 1], "width": 8, "head_width": 16}
OPEN_CLIP = "open_clip_config.json"


def open_clip_folder(folder: Path, vision: dict[str, Any] | None = None) -> dict[str, Any]:
    """A folder in open_clip's layout, and its configuration."""
    arch = replace(ARCH, vision=vision or ARCH.vision)
    save(open_clip_model(arch), folder / "model.safetensors")
    return {**CONFIG, "vision_cfg": arch.vision}


def hugging_face_folder(folder: Path) -> dict[str, Any]:
    hugging_face_model(ARCH).save_pretrained(folder)
    config: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return config


def message(folder: Path, name: str, config: dict[str, Any]) -> str:
    """The error for a folder with a configuration; it names a file of the folder."""
    (folder / name).write_text(json.dumps(config))
    with pytest.raises(PezError) as caught:
        load_model(str(folder)).encode_pictures([PICTURE])
    assert str(folder) in str(caught.value)
    return str(caught.value)


@pytest.fixture
def nothing_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """Towers that are built end the test."""

    def build(*args: Any, **options: Any) -> None:
        raise AssertionError("a tower is built for a configuration that does not fit its file")

    monkeypatch.setattr(image_tower, "plain", build)
    monkeypatch.setattr(image_tower, "_by_open_clip", build)


@pytest.mark.parametrize("layers", [1, 3, 16_384])
@pytest.mark.parametrize("tower", ["text", "vision"])
@pytest.mark.parametrize("naming", ["open_clip", "Hugging Face"])
@pytest.mark.usefixtures("nothing_is_built")
def test_another_number_of_blocks_is_refused(
    naming: str, tower: str, layers: int, tmp_path: Path
) -> None:
    """More or fewer than the file has, with both numbers."""
    if naming == "open_clip":
        config, name = open_clip_folder(tmp_path), OPEN_CLIP
        config[f"{tower}_cfg"] = {**config[f"{tower}_cfg"], "layers": layers}
    else:
        config, name = hugging_face_folder(tmp_path), "config.json"
        config[f"{tower}_config"]["num_hidden_layers"] = layers
    found = message(tmp_path, name, config)
    encoder = "text encoder" if tower == "text" else "image tower"
    assert f"has 2 blocks in its {encoder}, but the configuration says {layers}" in found


@pytest.mark.parametrize("layers", [[1, 2, 2, 100_000], [1, 2, 1, 1], [1, 2, 2, 2]])
@pytest.mark.usefixtures("nothing_is_built")
def test_another_number_of_blocks_of_a_residual_network(layers: list[int], tmp_path: Path) -> None:
    config = open_clip_folder(tmp_path, RESNET)
    config["vision_cfg"] = {**RESNET, "layers": layers}
    found = message(tmp_path, OPEN_CLIP, config)
    said = ", ".join(map(str, layers))
    assert f"has 1, 2, 2, 1 blocks in its image tower, but the configuration says {said}" in found


@pytest.mark.parametrize("change", [
    {"width": 64}, {"width": 32, "head_width": 16}, {"mlp_ratio": 2.0}, {"patch_size": 8},
    {"image_size": 64}, {"image_size": [32, 48]}, {"no_ln_pre": True}, {"qk_norm": True},
    {"attentional_pool": True}, {"ls_init_value": 0.1}, {"timm_model_name": "resnet18"},
    {"layers": [1, 1, 1, 1]},
])  # fmt: skip
def test_another_image_tower_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    """With the tensor that does not fit."""
    config = open_clip_folder(tmp_path)
    config["vision_cfg"] = {**config["vision_cfg"], **change}
    message(tmp_path, OPEN_CLIP, config)


@pytest.mark.parametrize("change", [
    {"width": 64}, {"mlp_ratio": 2.0}, {"layers": 1}, {"vocab_size": 49409},
])  # fmt: skip
def test_another_text_encoder_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    config = open_clip_folder(tmp_path)
    config["text_cfg"] = {**config["text_cfg"], **change}
    assert "the configuration" in message(tmp_path, OPEN_CLIP, config)


def test_other_features_are_refused(tmp_path: Path) -> None:
    config = open_clip_folder(tmp_path)
    found = message(tmp_path, OPEN_CLIP, {**config, "embed_dim": 48})
    assert "text_projection has the shape (32, 24), but the configuration says (32, 48)" in found


@pytest.mark.parametrize("change", [
    {"image_size": 1_000_000}, {"image_size": 0}, {"image_size": 15}, {"patch_size": 33},
    {"patch_size": 0}, {"head_width": 7}, {"head_width": 0}, {"mlp_ratio": 1e9}, {"width": 10**9},
    {"image_size": 1024, "patch_size": 1}, {"layers": [1, 2, 2]}, {"layers": 10**9},
])  # fmt: skip
@pytest.mark.usefixtures("nothing_is_built")
def test_sizes_that_no_clip_has_are_refused(change: dict[str, Any], tmp_path: Path) -> None:
    """By the configuration alone, which names the entry."""
    config = open_clip_folder(tmp_path)
    config["vision_cfg"] = {**config["vision_cfg"], **change}
    assert "vision_cfg." in message(tmp_path, OPEN_CLIP, config)


@pytest.mark.parametrize("key", [
    "transformer.resblocks.0.ls_1.gamma", "transformer.resblocks.1.attn.ln_q.weight",
    "text_projection.bias", "positional_embedding_res", "visual.transformer.resblocks.0.ls_1.gamma",
    "visual.attn_pool.query", f"transformer.resblocks.{'9' * 5000}.x",
])  # fmt: skip
def test_more_tensors_of_a_tower_are_refused(key: str, tmp_path: Path) -> None:
    """They would change what it computes."""
    config = open_clip_folder(tmp_path)
    path = tmp_path / "model.safetensors"
    save_file({**load_file(path), key: torch.ones(2)}, path)
    assert "it is another architecture" in message(tmp_path, OPEN_CLIP, config)


def test_tensors_of_other_parts_are_left_alone(tmp_path: Path) -> None:
    config = open_clip_folder(tmp_path)
    path = tmp_path / "model.safetensors"
    more = ("logit_scale", "logit_bias", "model.diffusion_model.x", "optimizer.step", "attn_mask")
    save_file({**load_file(path), **{key: torch.ones(2) for key in more}}, path)
    (tmp_path / OPEN_CLIP).write_text(json.dumps(config))
    assert load_model(str(tmp_path)).encode_pictures([PICTURE]).shape == (1, ARCH.embed_dim)


@pytest.mark.parametrize(("width", "mlp"), [(49, 1), (768, 3071), (1152, 4304), (1408, 6143)])
def test_a_quotient_of_sizes_gives_them_back(width: int, mlp: int) -> None:
    """Hugging Face says the MLP's width, open_clip its ratio."""
    from pez_core.clip.vision import plain

    vision = {"image_size": 16, "patch_size": 16, "width": width, "layers": 1}
    with torch.device("meta"):
        tower = plain({**vision, "head_width": width, "mlp_ratio": mlp / width}, 8, "gelu")
    assert tower is not None
    assert tower.state_dict()["transformer.resblocks.0.mlp.c_fc.weight"].shape == (mlp, width)
