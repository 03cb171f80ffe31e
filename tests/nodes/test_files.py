"""The drop-down of models: which files of ComfyUI's folders are offered, and what is known of
them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from open_clip import image_transform

from pez_core.hub.open_clip_files import model_config
from tests.support.namings import NAMINGS, State, behind, hugging_face_text, text_only
from tests.support.nodes_support import ROOT, Comfy, example, image_of
from tests.support.towers import (
    TEXTS,
    architecture,
    hugging_face_model,
    open_clip_features,
    open_clip_model,
    sequences,
)

pytest_plugins = ("tests.support.nodes_fixtures",)

FOLDERS = ("text_encoders", "clip_vision", "checkpoints")
# Sizes that ComfyUI's rule finds again: heads of 64, and an image tower as wide as a ViT-B.
VISION = {"image_size": 32, "patch_size": 16, "width": 768, "layers": 1, "head_width": 64}
ARCH = architecture("gelu", width=64, heads=1, mlp_width=256, vision={**VISION, "mlp_ratio": 4.0})

TABLE = "text_model.embeddings.token_embedding.weight"


def read(comfy: Comfy, label: str) -> tuple[Any, Any]:
    """The source of an entry, and its model."""
    source = comfy.module("nodes.models.clip_files").find_source(label)
    return source, comfy.module("pez_core.clip.models").read_model(source)


def sizes(arch: Any) -> dict[str, Any]:
    return {**vars(arch), "vision": None}


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_file_is_offered_in_every_folder(comfy: Comfy, folder: str) -> None:
    label = f"{folder}/sub folder/clïp.safetensors"
    comfy.put(label, hugging_face_text(ARCH).state)
    assert comfy.offered() == [label]


@pytest.mark.parametrize("naming", NAMINGS)
def test_every_naming_is_recognised(comfy: Comfy, naming: str) -> None:
    """From the head of the file: the sizes, and the tower that gives the features of the library
    that coined the naming."""
    named = NAMINGS[naming](ARCH)
    state = dict(named.state)
    if naming == "SDXL checkpoint, CLIP-L":  # told apart by the width, as in a true one
        state = {key: value for key, value in state.items() if "embedders.1" not in key}
    comfy.put("checkpoints/model.safetensors", state)
    (label,) = comfy.offered()
    source, model = read(comfy, label)
    assert sizes(source.arch) == sizes(ARCH)
    found = model.tower.encode_ids(sequences(TEXTS))
    assert torch.allclose(found, named.features, atol=2e-5)


@pytest.mark.parametrize("build", [open_clip_model, hugging_face_model])
def test_the_image_tower_is_found(comfy: Comfy, build: Callable[..., Any]) -> None:
    comfy.put("clip_vision/whole.safetensors", build(ARCH).state_dict())
    source, _ = read(comfy, "clip_vision/whole.safetensors")
    assert source.arch.vision == {**VISION, "mlp_ratio": 4.0}


def test_a_file_sees_and_reads(comfy: Comfy) -> None:
    """As open_clip does with the same weights: the similarity that a node reports is true."""
    model = open_clip_model(ARCH)
    comfy.put("checkpoints/whole.safetensors", model.state_dict())
    out = comfy.learn(image_of(example()), model="checkpoints/whole.safetensors")
    prepare = image_transform(32, is_train=False)
    with torch.no_grad():
        seen = model.encode_image(prepare(example())[None])
    read = open_clip_features(model, [out.ui["text"][0]])
    assert out.result[1] == pytest.approx(torch.cosine_similarity(seen, read).item(), abs=1e-5)


def test_a_text_encoder_alone_reads_only(comfy: Comfy) -> None:
    """A prompt can be mixed from texts with it; a picture is refused with the way out."""
    comfy.put("text_encoders/clip.safetensors", hugging_face_text(ARCH).state)
    model = "text_encoders/clip.safetensors"
    source, _ = read(comfy, model)
    assert source.arch.vision is None
    assert comfy.mix(model=model, prompt_1="a cat", mode="concatenate").result[0] == "a cat"
    with pytest.raises(
        comfy.errors.ModelError, match="cannot see pictures: connect the CLIP_VISION"
    ):
        comfy.learn(image_of(example()), model=model)


def without_projection(state: State) -> State:
    return {key: value for key, value in state.items() if "text_projection" not in key}


def test_of_two_towers_the_one_with_a_projection_is_taken(comfy: Comfy) -> None:
    """As in an SDXL checkpoint, whose CLIP-L has none; in SD 3's files both have one, and the wider
    is taken."""
    small, wide = ARCH, replace(ARCH, width=128, heads=2, mlp_width=512, embed_dim=40)
    first, second = hugging_face_text(small).state, open_clip_model(wide).state_dict()
    sdxl = {
        **behind("conditioner.embedders.0.transformer.", without_projection(first)),
        **behind("conditioner.embedders.1.model.", text_only(second)),
    }
    sd3 = {
        **behind("text_encoders.clip_l.transformer.", first),
        **behind("text_encoders.clip_g.transformer.", hugging_face_text(wide).state),
    }
    comfy.put("checkpoints/sd3.safetensors", sd3)
    comfy.put("checkpoints/sdxl.safetensors", sdxl)
    comfy.put("checkpoints/sdxl-l.safetensors", {**sdxl, **behind("extra.", first)})
    for name, tower in (
        ("sdxl", "conditioner.embedders.1.model."),
        ("sd3", "text_encoders.clip_g.transformer."),
    ):
        source, model = read(comfy, f"checkpoints/{name}.safetensors")
        assert source.tower == tower and sizes(source.arch) == sizes(wide)
        assert model.tower.text_projection.shape == (128, 40)


def test_a_tower_whose_name_holds_anothers(comfy: Comfy) -> None:
    """An encoder without a prefix and one with a prefix: the one that is meant is loaded."""
    wide = replace(ARCH, width=128, heads=2, mlp_width=512)
    state = {**hugging_face_text(wide).state, **behind("other.", hugging_face_text(ARCH).state)}
    comfy.put("text_encoders/two.safetensors", state)
    source, model = read(comfy, "text_encoders/two.safetensors")
    assert source.tower == "" and model.tower.text_projection.shape == (128, 24)


def test_a_file_that_changes_is_read_anew(comfy: Comfy) -> None:
    """In the list and in the models held: a new time or size shows the change."""
    label = "text_encoders/clip.safetensors"
    path = comfy.put(label, hugging_face_text(ARCH).state)
    first = comfy.mix(model=label, prompt_1="a red cat", prompt_2="a dog")
    other = replace(ARCH, embed_dim=40)
    comfy.put(label, hugging_face_text(other).state)
    os.utime(path, ns=(1, 1))
    source, _ = read(comfy, label)
    assert source.arch.embed_dim == 40
    second = comfy.mix(model=label, prompt_1="a red cat", prompt_2="a dog")
    dims = [out.result[2].targets.features.shape[1] for out in (first, second)]
    assert dims == [24, 40]
    comfy.put(label, {"shared.weight": torch.zeros(8, 4)})
    assert comfy.offered() == []
    with pytest.raises(comfy.errors.ModelError, match="not a usable CLIP file any more: press R"):
        comfy.mix(model=label, prompt_1="a red cat")
    path.unlink()
    assert comfy.offered() == []


@pytest.mark.parametrize(
    ("label", "encoder", "name"),
    [
        ("SD 1.5", None, "sd15"),
        ("SD 2.x", "CLIP-H", "sd2"),
        ("SDXL", None, "sdxl-g"),
        ("SDXL", "CLIP-G", "sdxl-g"),
        ("SDXL", "CLIP-L", "sdxl-l"),
        ("SDXL", "CLIP-H", "sdxl-g"),
        ("SDXL (CLIP-G alone)", "CLIP-L", "sdxl-g"),
        ("SD 3.5 (in part)", "CLIP-L", "sdxl-l"),
        ("SD 3.5 (in part)", None, "sdxl-g"),
        ("Flux.1 (CLIP-L: weak)", "CLIP-L", "flux"),
        ("demo (clip-art only)", "CLIP-L", "demo"),
    ],
)
def test_a_preset_is_a_model_of_the_core(
    comfy: Comfy, monkeypatch: pytest.MonkeyPatch, label: str, encoder: str | None, name: str
) -> None:
    files = comfy.module("nodes.models.clip_files")
    assert name in comfy.module("pez_core.clip.model_names").PRESETS
    source = comfy.module("pez_core.clip.source").Source
    monkeypatch.setattr(files, "find_one", lambda name, progress: source(name, None, Path(name)))
    found = files.find_source(label, encoder)
    assert found.path == Path(name) and found.name.startswith(label)


def test_the_page_renames_models_as_the_server_does(comfy: Comfy) -> None:
    page = (ROOT / "web" / "js" / "graph.js").read_text(encoding="utf-8")
    table = re.search(r"RENAMED = \{(.*?)\};", page, re.S)
    assert table
    named = dict(re.findall(r'"(.*?)": "(.*?)"', table[1]))
    assert named == comfy.module("nodes.models.clip_files").RENAMED
    assert set(named.values()) <= set(comfy.module("nodes.models.clip_files").PRESETS)
    for node in ("ImageToHardPrompt", "PromptMixer", "TokenViewer"):
        for old in named:
            assert comfy.nodes[f"PEZ_{node}"].validate_inputs(old) is True
        assert "press R" in comfy.nodes[f"PEZ_{node}"].validate_inputs("gone")
    assert comfy.nodes["PEZ_TokenViewer"].validate_inputs("none (tokens only)") is True


@pytest.mark.parametrize(("dim", "encoder"), [(768, "CLIP-L"), (1280, "CLIP-G"), (9, None)])
def test_the_dimensions_of_features_choose_an_encoder_of_sdxl(
    comfy: Comfy, dim: int, encoder: str | None
) -> None:
    """As they are those of open_clip's configurations."""
    files, names = (
        comfy.module("nodes.models.clip_files"),
        comfy.module("pez_core.clip.model_names"),
    )
    assert files.encoder_with("SDXL", dim) == encoder
    assert files.encoder_with("SD 1.5", dim) is files.encoder_with("SDXL", None) is None
    for name, expected in files.JOINT["SDXL"].values():
        architecture, _, _ = names.PRESETS[name].source.partition(":")
        assert model_config(architecture)["embed_dim"] == expected
