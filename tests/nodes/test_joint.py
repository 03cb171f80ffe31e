"""SDXL's two encoders in the nodes: from files, from the graph, and one of them where both cannot
be."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from tests.support.nodes_graph import LARGE, SMALL, WIDE, Clip, Vision, text_model
from tests.support.nodes_sdxl import ARCHS, BIG, Files
from tests.support.nodes_support import Comfy, edits, example, image_of, viewed
from tests.support.towers import hugging_face_features

pytest_plugins = ("tests.support.nodes_fixtures",)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files.save(tmp_path_factory.mktemp("sdxl"))


@pytest.fixture
def files(comfy: Comfy, saved: Files, monkeypatch: pytest.MonkeyPatch) -> Files:
    """What ComfyUI finds when it looks for the two."""
    files, there = Files(saved.models, saved.folder), comfy.module("nodes.models.clip_files")
    monkeypatch.setattr(there, "find_one", lambda name, progress: files.find(comfy, name))
    monkeypatch.setattr(there, "preset_architecture", ARCHS.__getitem__)
    monkeypatch.setattr(there, "is_here", lambda name: name not in files.missing)
    return files


def graph(comfy: Comfy) -> tuple[Clip, list[Any]]:
    """A CLIP with both encoders, fine-tuned to other weights than the files', and its models."""
    models = [text_model(SMALL, 11), text_model(BIG, 12)]
    return Clip(comfy, clip_l=models[0], clip_g=models[1]), models


def each(models: list[Any], text: str, goals: list[Tensor]) -> list[float]:
    """The cosine of a text with a picture by every encoder, by transformers' own forward."""
    return [
        (hugging_face_features(model, [text]) @ goal.T).item()
        for model, goal in zip(models, goals, strict=True)
    ]


def of_each(note: str) -> list[float]:
    """The similarities that a note states."""
    found = re.fullmatch(r"CLIP-L (-?\d\.\d{4}), CLIP-G (-?\d\.\d{4})", note)
    assert found, note
    return [float(number) for number in found.groups()]


def assert_joint(out: Any, models: list[Any], goals: list[Tensor]) -> None:
    """The similarity is the mean of both, and both are on the node."""
    message = out.ui["pez"][0]
    first, second = each(models, message["text"], goals)
    assert out.result[1] == pytest.approx((first + second) / 2, abs=2e-5)
    assert of_each(message["note"]) == pytest.approx([first, second], abs=1e-4)
    assert out.result[2].targets.features.shape == (1, 24 + 40)


def test_sdxl_from_its_files(comfy: Comfy, files: Files) -> None:
    out = comfy.learn(image_of(example()), model="SDXL")
    assert_joint(out, list(files.models.values()), files.pictures())
    assert out.ui["pez"][0]["model"] == "SDXL"


def test_the_clip_of_an_sdxl_graph(comfy: Comfy, files: Files) -> None:
    """Texts are read by the graph's encoders, pictures are seen by the files'."""
    clip, models = graph(comfy)
    out = comfy.learn(image_of(example()), model="SDXL", clip=clip)
    assert_joint(out, models, files.pictures())
    assert out.ui["pez"][0]["model"] == "CLIP-L and CLIP-G of the graph"


def test_a_second_run_reads_nothing(
    comfy: Comfy, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two are held as one, for a CLIP with other LoRAs anew; and they go with the graph's."""
    encoder, read = comfy.module("nodes.models.encoder"), []
    true = encoder.read_tower
    monkeypatch.setattr(encoder, "read_tower", lambda *a: read.append(a[1].tower) or true(*a))
    clip, _ = graph(comfy)
    outs = [comfy.learn(image_of(example()), model="SDXL", clip=clip) for _ in range(2)]
    assert read == ["clip_l", "clip_g"] and len(encoder.TEXT_TOWERS) == 1
    assert outs[0].result[:2] == outs[1].result[:2]
    name = "clip_l.transformer.text_model.final_layer_norm.weight"
    comfy.learn(
        image_of(example()), model="SDXL", clip=clip.with_lora(comfy, {name: torch.ones(64)}, 1.0)
    )
    assert read == ["clip_l", "clip_g"] * 2


def test_clip_ls_projection_is_the_files_here_too(
    comfy: Comfy, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An SDXL checkpoint leaves it out, and brings CLIP-G's."""
    whole, theirs, wide = text_model(LARGE), text_model(LARGE), text_model(WIDE)
    with torch.inference_mode():
        theirs.state_dict()["text_projection.weight"].fill_(270.25)
        state = {key: value.clone() for key, value in whole.state_dict().items()}
    save_file(state, tmp_path / "sdxl-l.safetensors")
    files.folder = tmp_path
    monkeypatch.setitem(ARCHS, "sdxl-l", LARGE)
    monkeypatch.setitem(ARCHS, "sdxl-g", WIDE)
    clip = Clip(comfy, clip_l=theirs, clip_g=wide)
    models = comfy.module("nodes.models.encoder")
    with torch.inference_mode():
        opened, _ = models.open_encoder(models.ModelRequest("SDXL", clip))
        tower = opened.load().tower
    ids = [[598, 5, 200, 17, 599], [598, 599]]
    parts = tower.split(tower.encode_ids(ids))
    towers = [
        comfy.module("pez_core.clip.weights").load_text_tower(m.state_dict(), a, source="a test")
        for m, a in ((whole, LARGE), (wide, WIDE))
    ]
    for part, single in zip(parts, towers, strict=True):
        torch.testing.assert_close(part, single.encode_ids(ids), atol=1e-5, rtol=0)


def test_one_image_encoder_means_one_text_encoder(comfy: Comfy, files: Files) -> None:
    """With `clip_vision` the words are for the encoder it belongs to, no file is asked for, and how
    to have both is said."""
    clip, models = graph(comfy)
    for dim, model in ((24, models[0]), (40, models[1])):
        vision = Vision(dim=dim)
        out = comfy.learn(image_of(example()), model="SDXL", clip=clip, clip_vision=vision)
        with torch.inference_mode():
            seen = F.normalize(vision.layer(image_of(example()).mean(dim=(1, 2))), dim=-1)
        (expected,) = each([model], out.ui["text"][0], [seen])
        assert out.result[1] == pytest.approx(expected, abs=1e-5)
        assert "disconnect it to learn for both" in out.ui["pez"][0]["note"]
    assert files.asked == []


def test_an_image_encoder_chooses_the_file_too(
    comfy: Comfy, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `clip`: the text encoder of its features is read from its file, the other is not."""
    dims = {"SDXL": {"CLIP-L": ("sdxl-l", 24), "CLIP-G": ("sdxl-g", 40)}}
    monkeypatch.setattr(comfy.module("nodes.models.clip_files"), "JOINT", dims)
    for dim, name in ((24, "sdxl-l"), (40, "sdxl-g")):
        files.asked.clear()
        comfy.learn(image_of(example()), model="SDXL", clip_vision=Vision(dim=dim))
        assert files.asked == [name]


def test_a_missing_file_leaves_its_encoder_out(comfy: Comfy, files: Files) -> None:
    """And the node says which, and why; with none of the two there is nothing to go on with."""
    files.missing = {"sdxl-l"}
    for given in ({}, {"clip": graph(comfy)[0]}):
        out = comfy.learn(image_of(example()), model="SDXL", **given)
        why = "learned for CLIP-G alone: CLIP-L was left out: sdxl-l is not on this machine"
        assert out.ui["pez"][0]["note"] == why
        assert out.result[2].targets.features.shape == (1, 40)
    files.missing = {"sdxl-g"}
    out = comfy.learn(image_of(example()), model="SDXL")
    assert "learned for CLIP-L alone: CLIP-G was left out" in out.ui["pez"][0]["note"]
    files.missing = {"sdxl-l", "sdxl-g"}
    with pytest.raises(comfy.errors.ModelError, match="sdxl-g is not on this machine"):
        comfy.learn(image_of(example()), model="SDXL")


def test_a_clip_with_one_of_the_two(comfy: Comfy, files: Files) -> None:
    """Such as Flux's: the other's file is not even asked for."""
    clip = Clip(comfy, clip_l=text_model(SMALL, 11), t5xxl=None)
    out = comfy.learn(image_of(example()), model="SDXL", clip=clip)
    assert out.ui["pez"][0]["note"] == "learned for CLIP-L alone: `clip` contains no CLIP-G"
    assert set(files.asked) == {"sdxl-l"}


def test_one_encoder_can_be_chosen(comfy: Comfy, files: Files) -> None:
    """As the entry SDXL alone has meant before."""
    clip, models = graph(comfy)
    out = comfy.learn(image_of(example()), model="SDXL (CLIP-G alone)", clip=clip)
    (expected,) = each(models[1:], out.ui["text"][0], files.pictures()[1:])
    assert out.result[1] == pytest.approx(expected, abs=2e-5)
    assert out.ui["pez"][0]["note"] == "" and files.asked == ["sdxl-g"]


def test_the_viewer_measures_with_both(comfy: Comfy, files: Files) -> None:
    """What a token adds is the mean of what it adds for each encoder. The message has each
    encoder's own similarity to the text that is passed on."""
    clip, theirs = graph(comfy)
    learned = comfy.learn(image_of(example()), model="SDXL", clip=clip)
    message = viewed(comfy.view(tokens=learned.result[2]))
    assert message["compared_with"] == "what it was learned for"
    assert message["similarity"] == pytest.approx(learned.result[1], abs=1e-5)
    own = each(theirs, learned.ui["text"][0], files.pictures())
    assert list(message["similarities"]) == ["CLIP-L", "CLIP-G"]
    assert list(message["similarities"].values()) == pytest.approx(own, abs=2e-5)
    image, models = image_of(example()), list(files.models.values())
    given = edits("a cat", replaced={"1": "dog"})
    edited = viewed(comfy.view(prompt="a cat", model="SDXL", image=image, edits=given))
    own = each(models, "a dog", files.pictures())
    assert list(edited["similarities"].values()) == pytest.approx(own, abs=2e-5)
    assert viewed(comfy.view(prompt="a cat", model="SDXL"))["similarities"] == {}
    shown = viewed(comfy.view(prompt="a cat", model="SDXL", image=image))
    cat, a = (sum(each(models, text, files.pictures())) / 2 for text in ("cat", "a"))
    whole = shown["similarity"]
    found = [token["contribution"] for word in shown["words"] for token in word["tokens"]]
    assert found == pytest.approx([whole - cat, whole - a], abs=4e-5)


def test_the_mixer_blends_for_both(comfy: Comfy, files: Files) -> None:
    models = list(files.models.values())
    given = {"model": "SDXL", "prompt_1": "a red cat", "prompt_2": "two dogs"}
    for mode in ("concatenate", "learn"):
        out = comfy.mix(mode=mode, **given)
        goals = [hugging_face_features(model, ["a red cat", "two dogs"]) for model in models]
        both = [
            (hugging_face_features(model, [out.ui["text"][0]]) @ goal.T).mean().item()
            for model, goal in zip(models, goals, strict=True)
        ]
        assert out.result[1] == pytest.approx(sum(both) / 2, abs=2e-5)
        assert of_each(out.ui["pez"][0]["note"]) == pytest.approx(both, abs=1e-4)


def test_room_is_made_for_both(comfy: Comfy, files: Files) -> None:
    """A search with two encoders asks for the memory of two."""
    comfy.learn(image_of(example()), model="SDXL")
    both = max(comfy.mm.asked)
    comfy.mm.asked.clear()
    comfy.learn(image_of(example()), model="SDXL (CLIP-G alone)")
    assert both > max(comfy.mm.asked) > 0
