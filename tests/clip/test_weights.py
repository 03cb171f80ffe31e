"""Weights files in every naming give the features of the library that coined it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from pez_core.clip.architecture import Architecture
from pez_core.clip.text_tower import TextTower
from pez_core.clip.weights import load_text_tower
from pez_core.clip.weights_file import WeightsFile
from tests.support.namings import NAMINGS, Named, State, open_clip, sdxl_checkpoint_l
from tests.support.towers import (
    ACTIVATIONS,
    architecture,
    open_clip_features,
    open_clip_model,
    sequences,
)

# ViT-L-14, the text encoder of Stable Diffusion 1.x, with an image tower that is as small as can be
TRUE_SIZE = {"embed_dim": 768, "width": 768, "layers": 12, "heads": 12, "mlp_width": 3072}


def write(state: State, path: Path) -> Path:
    save_file({key: value.contiguous().clone() for key, value in state.items()}, path)
    return path


def load(named: Named, arch: Architecture, folder: Path) -> TextTower:
    """The text tower of a state dict that went through a file."""
    file = WeightsFile(write(named.state, folder / "model.safetensors"))
    return load_text_tower(file, arch, source=str(file.path), tower=named.tower)


def assert_same(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("naming", NAMINGS)
def test_each_naming_gives_its_own_librarys_features(
    naming: str, activation: str, tmp_path: Path
) -> None:
    """A file in this naming and the model it was saved from encode texts alike, to 1e-5."""
    arch = architecture(activation)
    named = NAMINGS[naming](arch)
    assert_same(load(named, arch, tmp_path).encode_ids(sequences()), named.features)


@pytest.mark.models
@pytest.mark.parametrize("naming", NAMINGS)
def test_each_naming_at_true_size(naming: str, tmp_path: Path) -> None:
    """The same for a text encoder as large as that of Stable Diffusion 1.x."""
    arch = architecture("quick_gelu", **TRUE_SIZE)
    named = NAMINGS[naming](arch)
    try:
        tower = load(named, arch, tmp_path)
    finally:
        (tmp_path / "model.safetensors").unlink()  # 0.5 GB or more
    assert_same(tower.encode_ids(sequences()), named.features)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_half_precision_file_is_read_as_its_rounded_weights(
    dtype: torch.dtype, tmp_path: Path
) -> None:
    """A narrow file is computed in float32: its features are those of the rounded model."""
    arch = architecture("quick_gelu")
    model = open_clip_model(arch).to(dtype)
    named = Named(model.state_dict(), open_clip_features(model.float()))
    tower = load(named, arch, tmp_path)
    assert tower.token_embedding.dtype == tower.text_projection.dtype == torch.float32
    assert_same(tower.encode_ids(sequences()), named.features)


def test_the_two_towers_of_a_file_are_not_mixed_up(tmp_path: Path) -> None:
    """An SDXL checkpoint's towers have different features, and each name finds its own."""
    arch = architecture()
    first = sdxl_checkpoint_l(arch)
    second = load_text_tower(first.state, arch, source="a test", tower="embedders.1")
    assert_same(second.encode_ids(sequences()), open_clip(arch).features)
    assert (second.encode_ids(sequences()) - first.features).abs().max() > 0.1


def test_a_file_is_a_mapping_that_reads_on_demand(tmp_path: Path) -> None:
    """Keys, length and tensors are the file's; a key it lacks is a KeyError."""
    state = {"a": torch.arange(6.0).view(2, 3), "b": torch.ones(2, dtype=torch.int64)}
    file = WeightsFile(write(state, tmp_path / "two.safetensors"))
    assert set(file) == {"a", "b"} and len(file) == 2
    assert "a" in file and "c" not in file
    assert torch.equal(file["a"], state["a"]) and torch.equal(file["b"], state["b"])
    with pytest.raises(KeyError):
        file["c"]


@pytest.mark.parametrize("length", [0x80, 0x280, 0x4B50])
def test_a_header_of_any_length_is_read(length: int, tmp_path: Path) -> None:
    """A safetensors file opens with the length of its header, and some lengths look like the first
    bytes of a pickle or a zip."""
    path = tmp_path / "padded.safetensors"
    save_file({"a": torch.ones(2)}, path, metadata={"pad": ""})
    least = int.from_bytes(path.read_bytes()[:8], "little")
    save_file({"a": torch.ones(2)}, path, metadata={"pad": "x" * (length - least)})
    assert int.from_bytes(path.read_bytes()[:8], "little") == length
    assert torch.equal(WeightsFile(path)["a"], torch.ones(2))
