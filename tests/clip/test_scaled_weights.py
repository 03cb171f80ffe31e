"""Weights in float8 with scales: read as the numbers that they stand for, or refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from pez_core.clip.image_tower import encode_pictures
from pez_core.clip.source import Source
from pez_core.clip.weights import load_text_tower
from pez_core.clip.weights_file import WeightsFile
from pez_core.errors import WeightsError
from tests.support.folders import PICTURE
from tests.support.namings import State
from tests.support.towers import architecture, hugging_face_model, open_clip_model, sequences

ARCH = architecture()
FP8 = torch.float8_e4m3fn
MODELS = {"open_clip": open_clip_model, "Hugging Face": hugging_face_model}
QUERY = "text_model.encoder.layers.0.self_attn.q_proj"


def scale_weight(name: str) -> str:
    """ComfyUI's older name of a scale; `X_weight` is open_clip's parameter without a module."""
    stem = name.removesuffix(".weight") if name.endswith(".weight") else name
    return f"{stem.removesuffix('_weight')}.scale_weight"


NAMES: dict[str, Callable[[str], str]] = {
    "scale_weight": scale_weight, "weight_scale": lambda name: f"{name}_scale",
}  # fmt: skip


def quantised(state: State, naming: str, rows: bool) -> tuple[State, State]:
    """A state dict with its matrices in float8 and scales, and the numbers that they stand for."""
    stored, meant = dict[str, Tensor](), dict[str, Tensor]()
    for name, value in state.items():
        meant[name] = stored[name] = value.contiguous()
        if value.ndim < 2:
            continue
        # Unlike scales for every tensor, so that none can be mistaken for another's.
        most = value.abs().amax(dim=1 if rows and value.ndim == 2 else None)
        scale = most / 448 * (1 + len(stored) / 99)
        wide = scale[:, None] if scale.ndim else scale
        stored[name] = (value / wide).to(FP8)
        meant[name] = stored[name].float() * wide
        stored[NAMES[naming](name)] = scale
    return stored, meant


def write(state: State, folder: Path, name: str = "a.safetensors") -> Path:
    path = folder / name
    save_file({k: v.contiguous().clone() for k, v in state.items()}, path)
    return path


def read(path: Path) -> tuple[Tensor, Tensor]:
    """The features of texts and of a picture."""
    tower = load_text_tower(WeightsFile(path), ARCH, source=str(path))
    seen = encode_pictures(Source("a test", ARCH, path), [PICTURE], "cpu")
    return tower.encode_ids(sequences()), seen


@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize("naming", NAMES)
@pytest.mark.parametrize("library", MODELS)
def test_scales_are_applied(library: str, naming: str, rows: bool, tmp_path: Path) -> None:
    """In both towers, for both names of scales, one for all or one a row."""
    stored, meant = quantised(MODELS[library](ARCH).state_dict(), naming, rows)
    more = {"scaled_fp8": torch.zeros(0, dtype=FP8), f"{QUERY}.scale_input": torch.ones(())}
    ours = read(write({**stored, **more}, tmp_path))
    expected = read(write(meant, tmp_path, "meant.safetensors"))
    for mine, theirs in zip(ours, expected, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=0)
    bare = {k: v for k, v in stored.items() if "scale" not in k or k == "logit_scale"}
    without = read(write(bare, tmp_path, "bare.safetensors"))
    assert all(
        (torch.cosine_similarity(w, e) < 0.9).all() for w, e in zip(without, expected, strict=True)
    )


def test_float8_without_scales_is_what_it_says(tmp_path: Path) -> None:
    """As ComfyUI's older files have it."""
    state = {k: v.to(FP8) for k, v in hugging_face_model(ARCH).state_dict().items()}
    ours = read(write(state, tmp_path))
    expected = read(write({k: v.float() for k, v in state.items()}, tmp_path, "f.safetensors"))
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(ours, expected, strict=True))


def described(**entries: Any) -> Tensor:
    return torch.tensor(list(json.dumps(entries).encode()), dtype=torch.uint8)


@pytest.fixture(scope="module")
def state() -> State:
    """With one layer in float8 and a scale."""
    found: State = hugging_face_model(ARCH).state_dict()
    weight = (found[f"{QUERY}.weight"] * 100).to(FP8)
    return {**found, f"{QUERY}.weight": weight, f"{QUERY}.weight_scale": torch.tensor(0.01)}


@pytest.mark.parametrize("format_", ["float8_e4m3fn", "float8_e5m2"])
def test_a_known_format_is_read(format_: str, state: State, tmp_path: Path) -> None:
    note = described(format=format_, full_precision_matrix_mult=True)
    changed = {**state, f"{QUERY}.comfy_quant": note, f"{QUERY}.input_scale": torch.ones(())}
    ours, expected = read(write(changed, tmp_path)), read(write(state, tmp_path, "b.safetensors"))
    assert torch.equal(ours[0], expected[0])


WEIGHT = {torch.int8: "int8", torch.uint8: "uint8", torch.int16: "int16", torch.bool: "bool"}
UNKNOWN: dict[str, dict[str, Tensor]] = {
    "a format of ComfyUI": {"comfy_quant": described(format="nvfp4")},
    "blocks under a known name": {"comfy_quant": described(format="mxfp8")},
    "no format": {"comfy_quant": described(other=1)},
    "a format that is not text": {"comfy_quant": torch.zeros(4, dtype=torch.uint8)},
    "a format of numbers": {"comfy_quant": torch.zeros(4)},
    "blocks": {"weight_scale": torch.ones(2, 2)},
    "columns": {"weight_scale": torch.ones(1, 32)},
    "other rows": {"weight_scale": torch.ones(31)},
    "a scale of whole numbers": {"weight_scale": torch.tensor(2)},
    "a scale that is not a number": {"weight_scale": torch.tensor(float("nan"))},
    "two scales": {"scale_weight": torch.tensor(0.01)},
    "a second scale": {"weight_scale_2": torch.tensor(0.01)},
    "an inverse scale": {"weight_scale_inv": torch.ones(1, 1)},
    "an offset": {"weight_zero_point": torch.zeros(32)},
    "LLM.int8": {"SCB": torch.ones(32)},
    "NF4": {"weight.absmax": torch.ones(16), "weight.quant_map": torch.ones(16)},
    "NF4 of bitsandbytes": {"weight.quant_state.bitsandbytes__nf4": described(a=1)},
    "GPTQ": {"qzeros": torch.ones(1, 1, dtype=torch.int32)},
    "SmoothQuant": {"smooth_factor": torch.ones(32)},
    **{name: {"weight": torch.ones(32, 32).to(kind)} for kind, name in WEIGHT.items()},
    "packed values": {"weight": torch.ones(32, 16, dtype=torch.uint8)},
}  # fmt: skip


@pytest.mark.parametrize("kind", UNKNOWN)
def test_another_quantisation_is_refused(kind: str, state: State, tmp_path: Path) -> None:
    """With the file, the tensor, and what to give in its place; never read as if it were none."""
    changed = {**state, **{f"{QUERY}.{name}": value for name, value in UNKNOWN[kind].items()}}
    path = write(changed, tmp_path)
    with pytest.raises(WeightsError) as caught:
        load_text_tower(WeightsFile(path), ARCH, source=str(path))
    message = str(caught.value)
    assert str(path) in message and "self_attn.q_proj" in message
    assert "give the" in message or kind == "a scale that is not a number"


@pytest.mark.parametrize("kind", UNKNOWN)
def test_another_quantisation_is_refused_in_an_image_tower(
    kind: str, state: State, tmp_path: Path
) -> None:
    module = "vision_model.encoder.layers.1.mlp.fc1"
    weight = (state[f"{module}.weight"] * 100).to(FP8)
    more = {f"{module}.weight": weight, f"{module}.weight_scale": torch.tensor(0.01)}
    more |= {f"{module}.{name}": value for name, value in UNKNOWN[kind].items()}
    path = write({**state, **more}, tmp_path)
    with pytest.raises(WeightsError, match=str(path)):
        encode_pictures(Source("a test", ARCH, path), [PICTURE], "cpu")


def test_a_quantised_part_that_is_not_ours_does_no_harm(state: State, tmp_path: Path) -> None:
    """The image model of a checkpoint may be quantised in any way."""
    unet = "model.diffusion_model.x"
    more = {f"{unet}.{name}": v for parts in UNKNOWN.values() for name, v in parts.items()}
    ours = read(write({**state, **more}, tmp_path))
    assert torch.equal(ours[0], read(write(state, tmp_path, "b.safetensors"))[0])
