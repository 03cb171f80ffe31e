"""What a graph paints with, by its loaders, and which of our models fits: before anything runs."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from tests.support.nodes_support import DEMO, Comfy

pytest_plugins = ("tests.support.nodes_fixtures",)

T5 = "encoder.block.0.layer.0.SelfAttention.q.weight"
QWEN = "model.layers.0.self_attn.q_proj.weight"


def head(*parts: str) -> dict[str, torch.Tensor]:
    """The tensors of a file that show what is in it."""
    tables = {
        "SD 1.5": ("cond_stage_model.transformer.text_model.embeddings.", 768),
        "SDXL's L": ("conditioner.embedders.0.transformer.text_model.embeddings.", 768),
        "L": ("text_encoders.clip_l.transformer.text_model.embeddings.", 768),
        "G": ("text_encoders.clip_g.transformer.text_model.embeddings.", 1280),
        "alone": ("text_model.embeddings.", 768),
        "alone G": ("text_model.embeddings.", 1280),
        "flat": ("embeddings.", 768),
        "H": ("cond_stage_model.model.", 1024),
        "SDXL's G": ("conditioner.embedders.1.model.", 1280),
    }
    state = {}
    for part in parts:
        if part not in tables:
            state[part] = torch.zeros(1)
            continue
        prefix, width = tables[part]
        state[f"{prefix}token_embedding.weight"] = torch.zeros(2, width)
        if part in ("H", "SDXL's G"):  # open_clip's naming
            state[f"{prefix}transformer.resblocks.0.ln_1.weight"] = torch.zeros(width)
    return state


FILES = {
    "checkpoints/sd15.safetensors": head("SD 1.5"),
    "checkpoints/sd2.safetensors": head("H"),
    "checkpoints/sub/sdxl.safetensors": head("SDXL's L", "SDXL's G"),
    "checkpoints/refiner.safetensors": head("SDXL's G"),
    "checkpoints/sd35.safetensors": head(
        "L", "G", f"text_encoders.t5xxl.transformer.{T5}",
        "model.diffusion_model.joint_blocks.0.context_block.attn.qkv.weight",
    ),
    "checkpoints/flux.safetensors": head(
        "L", f"text_encoders.t5xxl.transformer.{T5}",
        "model.diffusion_model.double_blocks.0.img_mod.lin.weight",
    ),
    "checkpoints/chroma.safetensors": head(
        f"text_encoders.t5xxl.transformer.{T5}",
        "model.diffusion_model.double_blocks.0.img_attn.qkv.weight",
    ),
    "checkpoints/bare.safetensors": head("model.diffusion_model.input_blocks.0.0.weight"),
    "text_encoders/clip_l.safetensors": head("alone"),
    "text_encoders/clip_g.safetensors": head("alone G"),
    "text_encoders/seeing.safetensors": head(
        "alone", "text_model.encoder.layers.0.self_attn.q_proj.weight",
        "vision_model.encoder.layers.0.self_attn.q_proj.weight",
    ),
    "text_encoders/flat.safetensors": head(
        "flat", "encoder.layers.0.layer_norm1.weight", "encoder.layers.0.self_attn.q_proj.weight"
    ),
    "text_encoders/t5.safetensors": head(T5),
    "text_encoders/qwen.safetensors": head(QWEN),
}  # fmt: skip

SEEN = [
    (["sd15.safetensors"], ("SD 1.5", "SD 1.5")),
    (["sd2.safetensors"], ("SD 2.x", "SD 2.x")),
    (["sub/sdxl.safetensors"], ("SDXL", "SDXL")),
    (["refiner.safetensors"], ("SDXL", "SDXL (CLIP-G alone)")),
    (["sd35.safetensors"], ("SD 3.5", "SD 3.5 (in part)")),
    (["flux.safetensors"], ("Flux.1", "Flux.1 (CLIP-L: weak)")),
    (["clip_l.safetensors", "t5.safetensors", "flux", "default"],
     ("Flux.1", "Flux.1 (CLIP-L: weak)")),
    (["clip_l.safetensors", "t5-Q4.gguf", "flux"], ("Flux.1", "Flux.1 (CLIP-L: weak)")),
    (["clip_l.safetensors", "clip_g.safetensors", "t5.safetensors"],
     ("", "SD 3.5 (in part)")),
    (["clip_l.safetensors", "clip_g.safetensors", "t5.safetensors", "hidream"],
     ("HiDream", "SD 3.5 (in part)")),
    (["clip_l.safetensors", "qwen.safetensors", "kandinsky5"],
     ("Kandinsky 5", "Flux.1 (CLIP-L: weak)")),
    (["chroma.safetensors"], ("", None)),
    (["clip_l.safetensors", "t5.safetensors", "sd3"], ("SD 3.5", "Flux.1 (CLIP-L: weak)")),
    (["clip_l.safetensors", "clip_g.safetensors", "sdxl"], ("SDXL", "SDXL")),
    (["clip_l.safetensors", "stable_diffusion"], ("SD 1.5", "SD 1.5")),
    (["seeing.safetensors", "stable_diffusion"], ("SD 1.5", "SD 1.5")),
    (["seeing.safetensors", "clip_g.safetensors", "sdxl"], ("SDXL", "SDXL")),
    (["flat.safetensors", "clip_g.safetensors", "sdxl"], ("SDXL", "SDXL")),
    (["qwen.safetensors", "qwen_image", "default"], ("Qwen-Image", None)),
    (["qwen.safetensors", "a new kind"], ("", None)),
    (["some-Q4.gguf", "wan"], ("Wan", None)),
    (["bare.safetensors"], None),
    (["gone.safetensors"], None),
    (["../checkpoints/sd15.safetensors"], None),
    ([], None),
]  # fmt: skip


@pytest.fixture
def files(comfy: Comfy) -> Comfy:
    for name, state in FILES.items():
        (comfy.folders[name.partition("/")[0]] / "sub").mkdir(exist_ok=True)
        comfy.put(name, state)
    return comfy


@pytest.mark.parametrize(("values", "expected"), SEEN)
def test_what_a_loader_paints_with(files: Comfy, values: list[str], expected: Any) -> None:
    found = files.module("nodes.models.painters").painter_of([values])
    assert (found and (found.name, found.model)) == expected


def test_several_loaders_say_something_if_they_agree(files: Comfy) -> None:
    painter_of = files.module("nodes.models.painters").painter_of
    xl, one = ["sub/sdxl.safetensors"], ["sd15.safetensors"]
    assert painter_of([xl, xl]).name == "SDXL"
    assert painter_of([xl, one]) is None and painter_of([]) is None


@pytest.mark.parametrize(("painter", "fitting"), [
    ("sd15.safetensors", {"SD 1.5", "Flux.1 (CLIP-L: weak)"}),
    ("sub/sdxl.safetensors", {"SDXL", "SDXL (CLIP-G alone)", "SD 3.5 (in part)"}),
    ("sd2.safetensors", {"SD 2.x"}),
    ("qwen.safetensors", set()),
])  # fmt: skip
def test_which_models_fit(files: Comfy, painter: str, fitting: set[str]) -> None:
    """Those that have the largest CLIP that is read; the demo fits nobody."""
    advice = files.module("nodes.models.painters").advice
    labels = files.module("nodes.models.clip_files").PRESETS
    assert {label for label in labels if advice([[painter]], label)["fits"]} == fitting


def test_without_a_painter_everything_fits_and_a_download_is_told(files: Comfy) -> None:
    advice = files.module("nodes.models.painters").advice
    unknown = {"painter": None, "model": None, "fits": True}
    assert advice([], DEMO) == {**unknown, "here": True}
    assert advice([], "SD 1.5") == {**unknown, "here": False}
    assert advice([], "demo (offline)") == {**unknown, "here": True}  # its name up to 0.4
    assert advice([], "text_encoders/gone.safetensors") == {**unknown, "here": True}
    assert not advice([["sd15.safetensors"]], "text_encoders/gone.safetensors")["fits"]


def test_the_page_asks_by_a_route(files: Comfy, route: Any) -> None:
    body = {"loaders": [["sub/sdxl.safetensors", "default"]], "model": "SD 1.5"}
    expected = {"painter": "SDXL", "model": "SDXL", "fits": False, "here": False}
    assert route(json.dumps(body), "/pez/painter") == (200, expected)


@pytest.mark.parametrize(
    "body", ["[]", "{}", '{"loaders": 3, "model": ""}', '{"loaders": [3], "model": ""}', "null"]
)
def test_another_body_is_refused(comfy: Comfy, route: Any, body: str) -> None:
    status, answer = route(body, "/pez/painter")
    assert status == 400 and "send" in answer["error"]


def test_damaged_files_and_odd_names_say_nothing(files: Comfy) -> None:
    (files.folders["checkpoints"] / "broken.safetensors").write_bytes(b"\xff" * 100)
    painter_of = files.module("nodes.models.painters").painter_of
    for value in ("broken.safetensors", "\0.safetensors", "x" * 10_000, "{}"):
        assert painter_of([[value]]) is None
