"""What is refused or told before anything is fetched, loaded or seen, and which file is taken."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from tests.support.nodes_graph import SMALL, WIDE, Clip, text_model
from tests.support.nodes_support import DEMO, Comfy, example, image_of
from tests.support.towers import hugging_face_model

pytest_plugins = ("tests.support.nodes_fixtures",)
OWN = "text_encoders/whole.safetensors"
# With an image tower whose size is one of those that files are known by.
SEEING = replace(
    SMALL,
    vision={"image_size": 32, "patch_size": 16, "width": 768, "layers": 1, "head_width": 64},
)


@pytest.fixture
def nothing_is_done(comfy: Comfy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetching a model and looking at a picture fail."""

    def fail(*_: Any) -> None:
        raise AssertionError("it was not checked before")

    monkeypatch.setattr(comfy.module("nodes.models.clip_files"), "find_one", fail)
    for name in ("features_by_files", "features_by_clip_vision"):
        monkeypatch.setattr(comfy.module("nodes.models.encoder"), name, fail)


@pytest.mark.usefixtures("nothing_is_done")
def test_a_language_model_is_told_apart_at_once(comfy: Comfy) -> None:
    clip = Clip(comfy, qwen=nn.Linear(2, 2))
    clip.cond_stage_model.__class__ = type("QwenImageTEModel_", (nn.Module,), {})
    with pytest.raises(comfy.errors.ModelError, match=r"\(Qwen-Image\) is a language model"):
        comfy.learn(image_of(example()), model="SD 1.5", clip=clip)


@pytest.mark.usefixtures("nothing_is_done")
def test_a_model_that_does_not_fit_is_not_downloaded(comfy: Comfy) -> None:
    clip = Clip(comfy, clip_h=text_model(WIDE))
    with pytest.raises(comfy.errors.ModelError, match="768 dimensions and the text encoder conn"):
        comfy.learn(image_of(example()), model="SD 1.5", clip=clip)
    vision = SimpleNamespace(
        encode_image=None, model=SimpleNamespace(visual_projection=nn.Linear(8, 1024))
    )
    with pytest.raises(comfy.errors.ModelError, match="1024 dimensions and the text encoder ret"):
        comfy.learn(image_of(example()), model="SD 1.5", clip_vision=vision)


def test_a_file_of_the_same_clip_is_taken_instead_of_a_download(comfy: Comfy) -> None:
    """It is found by its token table, sees the picture, and is named; another one is not taken."""
    whole = hugging_face_model(SEEING, 5)
    graph = text_model(SMALL, 9)
    with torch.inference_mode():
        table = whole.state_dict()["text_model.embeddings.token_embedding.weight"]
        graph.state_dict()["text_model.embeddings.token_embedding.weight"].copy_(table)
        graph.state_dict()["text_projection.weight"].zero_()  # not a trained one
    comfy.put("text_encoders/another.safetensors", hugging_face_model(SEEING, 6).state_dict())
    comfy.put(OWN, whole.state_dict())
    clip = Clip(comfy, clip_l=graph)
    out = comfy.learn(image_of(example()), model="SD 1.5", clip=clip)
    assert f"with the projection of {OWN}" in out.ui["pez"][0]["note"]


def test_a_new_node_begins_with_a_model_that_is_there(
    comfy: Comfy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A preset, else a file that sees, else the demo."""
    files = comfy.module("nodes.models.clip_files")
    assert files.first_choice(files.usable_files()) == DEMO
    comfy.put("text_encoders/text.safetensors", text_model(SMALL).state_dict())
    assert files.first_choice(files.usable_files()) == DEMO
    comfy.put(OWN, hugging_face_model(SEEING).state_dict())
    assert files.first_choice(files.usable_files()) == OWN
    monkeypatch.setattr(files, "is_here", lambda name: name in ("sdxl-g", "demo"))
    assert files.first_choice(files.usable_files()) == "SDXL (CLIP-G alone)"


@pytest.mark.parametrize(
    ("kind", "others", "note"),
    [
        ("SDXLClipModel", {}, ""),
        ("SD3ClipModel", {"t5xxl": nn.Linear(2, 2)}, "SD 3.5 reads these words beside T5"),
        ("FluxClipModel_", {"t5xxl": nn.Linear(2, 2)}, "Flux.1 reads these words as one pooled"),
        ("HunyuanVideoClipModel_", {"llama": nn.Linear(2, 2)}, "HunyuanVideo reads these words as"),
    ],
)
def test_the_result_says_how_far_the_words_reach(
    comfy: Comfy, kind: str, others: dict[str, nn.Module], note: str
) -> None:
    clip = Clip(comfy, clip_g=text_model(), **others)
    clip.cond_stage_model.__class__ = type(kind, (nn.Module,), {})
    found = comfy.mix(prompt_1="a cat", clip=clip, mode="concatenate").ui["pez"][0]["note"]
    assert found.startswith(note) and bool(found) == bool(note)


def test_an_error_names_no_folder(comfy: Comfy) -> None:
    without = comfy.module("nodes.run.running").without_folders
    assert without("/srv/models/a.safetensors is damaged: x/y") == "a.safetensors is damaged: x/y"
    assert without(r"C:\Users\me\b.safetensors: gone") == "b.safetensors: gone"
    assert without("see https://hub.co/a/b/c.json") == "see https://hub.co/a/b/c.json"
