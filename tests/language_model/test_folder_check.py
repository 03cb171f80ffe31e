"""What a folder of transformers may not say is refused before transformers reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from pez_core.errors import ModelError
from pez_core.language_model import load_language_model, load_sentence_encoder
from pez_core.language_model.folder_check import check_folder, offline

GPT2 = {"model_type": "gpt2", "n_layer": 2, "n_embd": 8, "vocab_size": 100, "n_inner": None}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Weights of two layers, and their configuration."""
    weights = {f"h.{i}.{name}.weight": torch.ones(8, 32) for i in (0, 1) for name in ("fc", "out")}
    save_file({"wte.weight": torch.ones(100, 8), **weights}, tmp_path / "model.safetensors")
    write(tmp_path)
    return tmp_path


def write(folder: Path, name: str = "config.json", **entries: Any) -> Path:
    (folder / name).write_text(json.dumps({**GPT2, **entries}))
    return folder / name


def test_a_whole_folder_passes(folder: Path) -> None:
    """With sizes of none, entries of other kinds, and a tokenizer that says much."""
    check_folder(folder)
    write(folder, attn_implementation="sdpa", use_pretrained_backbone=False, auto_map={"a": "b.C"})
    write(folder, "tokenizer_config.json", attn_implementation=None, quantization_config=None)
    check_folder(folder)


@pytest.mark.parametrize(("entries", "name"), [
    ({"n_layer": 100_000}, "n_layer is 100000, but the weights are 5 tensors"),
    ({"text_config": {"num_hidden_layers": 6}}, "num_hidden_layers is 6"),
    ({"vocab_size": 10**9}, "vocab_size is 1000000000 and the width 8"),
    ({"n_embd": 10**6}, "vocab_size is 100 and the width 1000000"),
    ({"n_inner": 10**6}, "n_inner is 1000000"),
    ({"n_embd": 1000, "vocab_size": 0}, "n_embd is 1000 and the width 1000"),
    ({"vision": {"block_out_channels": [8, 10**4]}}, "block_out_channels is 10000"),
    ({"num_train_timesteps": 10**9}, "num_train_timesteps is 1000000000, but must be at most"),
    ({"quantization_config": {"quant_method": "nf4"}}, "quantised weights are not read"),
    ({"attn_implementation": "evil/kernel"}, "loads something that is not in the folder"),
    ({"text_config": {"_attn_implementation": {"x": "evil/k"}}}, "loads something"),
    ({"a": [{"use_pretrained_backbone": True}]}, "loads something that is not in the folder"),
])  # fmt: skip
def test_an_entry_is_refused_by_name(folder: Path, entries: dict[str, Any], name: str) -> None:
    path = write(folder, **entries)
    with pytest.raises(ModelError, match=name) as caught:
        load_language_model(str(folder))
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"[" * 200_000, b"[]", b'{"a": 1, "a": 2}', b"\xff"])
@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "generation_config.json"])
def test_a_configuration_that_cannot_be_read_is_named(
    folder: Path, name: str, content: bytes
) -> None:
    (folder / name).write_bytes(content)
    for load in (load_language_model, load_sentence_encoder):
        with pytest.raises(ModelError, match=f"{folder / name}"):
            load(str(folder))


def test_a_configuration_that_is_a_folder_is_named(folder: Path) -> None:
    (folder / "tokenizer_config.json").mkdir()
    with pytest.raises(ModelError, match="tokenizer_config.json is not a file"):
        load_language_model(str(folder))


def test_an_adapter_is_refused(folder: Path) -> None:
    write(folder, "adapter_config.json", base_model_name_or_path="evil/base")
    with pytest.raises(ModelError, match="is an adapter, which changes another model"):
        load_language_model(str(folder))


def test_the_hub_is_off_for_a_folder_alone() -> None:
    before = constants.HF_HUB_OFFLINE
    with pytest.raises(KeyError), offline():
        assert constants.HF_HUB_OFFLINE
        raise KeyError
    assert before == constants.HF_HUB_OFFLINE
