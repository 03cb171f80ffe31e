"""The text encoder of a graph: its own weights, LoRAs included, and its projection only where it is
a trained one."""

from __future__ import annotations

import gc
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.support.nodes_graph import LARGE, SMALL, WIDE, Clip, text_model
from tests.support.nodes_support import Comfy, example, image_of
from tests.support.towers import TEXTS, hugging_face_features, sequences

pytest_plugins = ("tests.support.nodes_fixtures",)

PROJECTION = "text_projection.weight"
QUERY = "text_model.encoder.layers.0.self_attn.q_proj.weight"


def read(
    comfy: Comfy, clip: Clip, label: str = "demo (clip-art only)", dim: int | None = None
) -> Any:
    """A copy of the tower that a run with this CLIP takes."""
    graph = comfy.module("nodes.models.graph_clip")
    with torch.inference_mode():
        tower = graph.find_tower(clip, dim)
        return graph.read_tower(clip, tower, graph.find_projection(clip, tower, label))


def file(comfy: Comfy, model: Any) -> str:
    """The label of a file with the weights of a model."""
    comfy.put("text_encoders/clip.safetensors", model.state_dict())
    return "text_encoders/clip.safetensors"


def close(found: Any, expected: Tensor) -> bool:
    features = found.encode_ids(sequences(TEXTS))
    return bool(torch.allclose(features, expected, atol=2e-5))


@pytest.mark.parametrize("name", ["clip_h", "clip_g", "clip_l"])
def test_the_weights_are_those_of_the_graph(comfy: Comfy, name: str) -> None:
    """With the features of transformers' own forward; they are copies that autograd can use."""
    model = text_model()
    found = read(comfy, Clip(comfy, **{name: model}))
    assert close(found, hugging_face_features(model))
    assert not found.token_embedding.is_inference()
    found.token_embedding.zero_()
    assert model.state_dict()["text_model.embeddings.token_embedding.weight"].any()


def test_loras_are_read_with_it(comfy: Comfy) -> None:
    """As if they were merged; neither the weights of the graph nor its other users change."""
    model = text_model()
    plain = Clip(comfy, clip_h=model)
    before = hugging_face_features(model)
    difference = torch.randn(64, 64, generator=torch.Generator().manual_seed(2)) / 8
    patched = plain.with_lora(comfy, {f"clip_h.transformer.{QUERY}": difference}, 0.5)
    assert close(read(comfy, plain), before)
    found = read(comfy, patched)
    assert not close(found, before)
    assert close(read(comfy, plain), before)
    with torch.inference_mode():
        model.state_dict()[QUERY].add_(0.5 * difference)
    assert close(found, hugging_face_features(model))


def test_a_graph_under_dynamic_vram_is_read_as_any_other(comfy: Comfy) -> None:
    """Its small weights are patched where they are, and its large ones only as layers run: a LoRA
    counts once on both."""
    layer = "clip_h.transformer.text_model.encoder.layers.0"
    shapes = {f"{layer}.mlp.fc1.weight": (256, 64), f"{layer}.layer_norm1.weight": (64,)}
    generator = torch.Generator().manual_seed(3)
    differences = {k: torch.randn(s, generator=generator) for k, s in shapes.items()}
    expected = read(comfy, Clip(comfy, clip_h=text_model()).with_lora(comfy, differences, 0.5))

    dynamic = Clip(comfy, clip_h=text_model())
    kind, device = comfy.stub("comfy.model_patcher").ModelPatcherDynamic, torch.device("cpu")
    dynamic.patcher = kind(dynamic.cond_stage_model, device, device)
    dynamic.patcher.add_patches({k: ("diff", (d,)) for k, d in differences.items()}, 0.5)
    with torch.inference_mode():
        dynamic.patcher.prepare(comfy.stub("comfy.lora").calculate_weight)
    prepared = {name in dynamic.patcher.backup for name in shapes}
    assert prepared == {True, False}, "one weight is patched in place, one is not"
    assert close(read(comfy, dynamic), expected.encode_ids(sequences(TEXTS)))


def test_half_precision_is_read_in_full(comfy: Comfy) -> None:
    """As ComfyUI loads encoders; the tower computes in float32."""
    model = text_model().half()
    found = read(comfy, Clip(comfy, clip_g=model))
    assert found.text_projection.dtype == torch.float32
    with torch.inference_mode():
        assert close(found, hugging_face_features(model.float()))


def test_the_tower_is_read_once(comfy: Comfy, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a CLIP with other LoRAs anew; and it goes with the graph's own."""
    encoder, count = comfy.module("nodes.models.encoder"), []
    true = encoder.read_tower
    monkeypatch.setattr(encoder, "read_tower", lambda *a: count.append(a) or true(*a))
    clip = Clip(comfy, clip_h=text_model())
    mixed = {"prompt_1": "a cat", "mode": "concatenate"}
    for _ in range(3):
        comfy.mix(clip=clip, **mixed)
    assert len(count) == 1
    zero = {f"clip_h.transformer.{QUERY}": torch.zeros(64, 64)}
    comfy.mix(clip=clip.with_lora(comfy, zero, 1.0), **mixed)
    comfy.mix(clip=clip, **mixed)
    assert len(count) == 2
    assert len(encoder.TEXT_TOWERS) == 2
    count.clear()
    del clip
    gc.collect()
    comfy.mix(model="demo (clip-art only)", **mixed)
    assert len(encoder.TEXT_TOWERS) == 1


def test_of_several_encoders_the_one_that_fits_is_taken(comfy: Comfy) -> None:
    """The picture's dimensions decide. Without a picture it is the one that is
    whole in a checkpoint."""
    small, other = text_model(), text_model(replace(SMALL, embed_dim=40), 2)
    clip = Clip(comfy, clip_l=small, clip_g=other, t5xxl=nn.Linear(2, 2), clip_h=None)
    find = comfy.module("nodes.models.graph_clip").find_tower
    assert find(clip, 24).tower == "clip_l" and find(clip, 40).tower == "clip_g"
    assert find(clip, None).tower == "clip_g"
    assert close(read(comfy, clip, dim=24), hugging_face_features(small))
    message = "77 dimensions.*CLIP-G of 40, CLIP-L of 24.*the same CLIP"
    with pytest.raises(comfy.errors.ModelError, match=message):
        find(clip, 77)


def test_a_language_model_is_not_a_clip(comfy: Comfy) -> None:
    """T5 alone, as for some video models: said so by every node."""
    clip = Clip(comfy, t5xxl=nn.Linear(2, 2), clip_l=None)
    for run in (
        lambda: comfy.mix(prompt_1="a cat", clip=clip),
        lambda: comfy.learn(image_of(example()), clip=clip),
    ):
        with pytest.raises(comfy.errors.ModelError, match="is a language model.*Prompt Ranker"):
            run()


def test_clip_ls_projection_is_that_of_the_file(comfy: Comfy) -> None:
    """The graph's own may be memory that nobody has written: not even looked at. All else is the
    graph's."""
    whole, graph = text_model(LARGE), text_model(LARGE)
    label = file(comfy, whole)
    with torch.inference_mode():
        graph.state_dict()[PROJECTION].fill_(270.25)
        graph.state_dict()[QUERY].mul_(0.5)
    found = read(comfy, Clip(comfy, clip_l=graph), label)
    assert torch.equal(found.text_projection, whole.state_dict()[PROJECTION].T)
    assert torch.equal(found.blocks[0].qkv_weight[:768], graph.state_dict()[QUERY])
    assert found.activation == "quick_gelu"


def test_a_trained_clip_l_is_still_the_same_clip(comfy: Comfy) -> None:
    """Fine-tuned a little: the token table is nearly the file's."""
    whole, graph = text_model(LARGE), text_model(LARGE)
    label = file(comfy, whole)
    with torch.inference_mode():
        table = graph.state_dict()["text_model.embeddings.token_embedding.weight"]
        table.add_(0.1 * table.std() * torch.randn(table.shape))
    found = read(comfy, Clip(comfy, clip_l=graph), label)
    assert torch.equal(found.text_projection, whole.state_dict()[PROJECTION].T)


def test_a_file_of_other_weights_is_refused(comfy: Comfy) -> None:
    label = file(comfy, text_model(LARGE, seed=9))
    message = r"CLIP-L in this graph.*choose in `model`.*cosine of -?0\.0\d"
    with pytest.raises(comfy.errors.ModelError, match=message):
        read(comfy, Clip(comfy, clip_l=text_model(LARGE)), label)


def test_a_model_of_another_size_is_refused(comfy: Comfy) -> None:
    clip = Clip(comfy, clip_l=text_model(LARGE))
    for label, width in (
        ("demo (clip-art only)", 128),
        (file(comfy, text_model(WIDE)), 1024),
    ):
        with pytest.raises(
            comfy.errors.ModelError,
            match=rf"a different CLIP, of width {width} where CLIP-L has 768",
        ):
            read(comfy, clip, label)


def test_a_file_that_is_unavailable_is_explained(
    comfy: Comfy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No network, say: what the projection is for, and what went wrong."""

    def find_one(name: str, progress: object) -> None:
        raise comfy.errors.ModelError("no network")

    files = comfy.module("nodes.models.clip_files")
    monkeypatch.setattr(files, "find_one", find_one)
    monkeypatch.setattr(files, "preset_architecture", lambda name: LARGE)
    message = r"no trained projection.*choose in `model`.*For 'SD 1.5': no network"
    with pytest.raises(comfy.errors.ModelError, match=message):
        read(comfy, Clip(comfy, clip_l=text_model(LARGE)), "SD 1.5")


def untrained(kind: str) -> Tensor:
    """A projection as memory may hold it that nobody has written."""
    width, noise = WIDE.width, torch.randn(WIDE.embed_dim, WIDE.width)
    mostly = torch.zeros(WIDE.embed_dim, width)
    mostly[3] = noise[3]
    return {
        "zeros": torch.zeros_like(noise),
        "tiny": noise * 1e-5,
        "huge": noise * 270,
        "not a number": noise.index_fill(0, torch.tensor([5]), math.nan),
        "infinite": noise.index_fill(0, torch.tensor([5]), math.inf),
        "a few pages": mostly,
        "other data": torch.randint(-(2**31), 2**31, noise.shape, dtype=torch.int32).view(
            torch.float32
        ),
    }[kind]


KINDS = ["zeros", "tiny", "huge", "not a number", "infinite", "a few pages", "other data"]


def test_a_quantised_encoder_is_refused(comfy: Comfy) -> None:
    """ComfyUI's patcher has no way to read its weights. Its layers show in their state dict."""
    model = text_model()
    layer = model.text_model.encoder.layers[0].self_attn.q_proj
    layer.register_buffer("comfy_quant", torch.zeros(2, dtype=torch.uint8))
    with pytest.raises(comfy.errors.ModelError, match="CLIP-H connected to `clip` is quantised"):
        read(comfy, Clip(comfy, clip_h=model))


@pytest.mark.parametrize("kind", KINDS)
def test_an_untrained_projection_is_refused(comfy: Comfy, kind: str) -> None:
    """Of an H as well, from whatever file it came: replaced by the file's, if that is of the same
    CLIP."""
    torch.manual_seed(0)
    whole, graph = text_model(WIDE), text_model(WIDE)
    with torch.inference_mode():
        graph.state_dict()[PROJECTION].copy_(untrained(kind))
    clip = Clip(comfy, clip_h=graph)
    found = read(comfy, clip, file(comfy, whole))
    assert torch.equal(found.text_projection, whole.state_dict()[PROJECTION].T)
    with pytest.raises(comfy.errors.ModelError, match="CLIP-H in this graph.*no trained"):
        read(comfy, clip)


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_a_trained_projection_is_taken(comfy: Comfy, scale: float) -> None:
    """Whatever its scale; the model of the drop-down does not matter then."""
    model = text_model(WIDE)
    with torch.inference_mode():
        model.state_dict()[PROJECTION].mul_(scale)
    found = read(comfy, Clip(comfy, clip_h=model), "no such model")
    assert torch.equal(found.text_projection, model.state_dict()[PROJECTION].T)
