"""A language model or a sentence encoder that is not whole is refused, and nothing else is said."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pez_core.errors import ModelError
from pez_core.language_model import load_language_model, load_sentence_encoder
from tests.support.commands import Pez
from training.instructed import train

Weights = dict[str, Tensor]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    train(folder, seed=1, steps=1, vocabulary=420)
    return folder


@pytest.fixture
def broken(whole: Path, tmp_path: Path) -> Path:
    """A copy, to be broken."""
    return Path(shutil.copytree(whole, tmp_path / "broken"))


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT without a head and without a pooler."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "red", "green"]
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast.from_pretrained(folder).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(words), hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=12,
    )  # fmt: skip
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def without_mlp(weights: Weights) -> Weights:
    return {name: w for name, w in weights.items() if ".mlp." not in name}


def one_not_a_number(weights: Weights) -> Weights:
    name = "transformer.h.1.mlp.c_proj.weight"
    spoilt = weights[name].clone()
    spoilt[3, 2] = torch.nan
    return {**weights, name: spoilt}


def narrower(weights: Weights) -> Weights:
    name = "transformer.h.0.mlp.c_fc.weight"
    return {**weights, name: weights[name][:, :7].contiguous()}


@pytest.mark.parametrize(("change", "message"), [
    (without_mlp, r"8 weights of a GPT2LMHeadModel are missing .*, such as "
     r"transformer\.h\.0\.mlp\.c_fc\.bias, .*: choose a complete model of this kind"),
    (one_not_a_number, r"not finite numbers, such as transformer\.h\.1\.mlp\.c_proj\.weight"),
    (narrower, r"1 weights .* do not have the sizes of its config\.json, such as "
     r"transformer\.h\.0\.mlp\.c_fc\.weight"),
])  # fmt: skip
def test_weights_that_are_not_there_are_not_drawn_at_random(
    broken: Path, change: Callable[[Weights], Weights], message: str
) -> None:
    file = broken / "model.safetensors"
    save_file(change(load_file(file)), file, {"format": "pt"})
    with pytest.raises(ModelError, match=message):
        load_language_model(str(broken))


def test_a_head_that_is_the_embedding_is_not_missing(whole: Path) -> None:
    """The file holds one of the two."""
    names = load_file(whole / "model.safetensors")
    assert "transformer.wte.weight" in names and "lm_head.weight" not in names
    network = load_language_model(str(whole)).network
    assert network.lm_head.weight is network.transformer.wte.weight


def test_an_encoder_is_not_a_language_model_though_a_sentence_encoder(bert: Path) -> None:
    """It has no head; and no pooler, which the mean over tokens does not ask for."""
    with pytest.raises(
        ModelError, match=r"weights of a BertLMHeadModel are missing .*cls\.predictions"
    ):
        load_language_model(str(bert))
    assert load_sentence_encoder(bert).encode_texts(["red green"]).shape == (1, 8)


def test_a_sentence_encoder_is_whole_as_well(bert: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(bert, tmp_path / "b"))
    file = folder / "model.safetensors"
    weights = load_file(file)
    lacking = {name: w for name, w in weights.items() if "attention.self" not in name}
    save_file(lacking, file, {"format": "pt"})
    with pytest.raises(ModelError, match=r"6 weights of a BertModel are missing"):
        load_sentence_encoder(folder)
    file.write_bytes(file.read_bytes()[:300])
    with pytest.raises(ModelError, match="safetensors file is damaged .*: download it again"):
        load_sentence_encoder(folder)


@pytest.mark.parametrize("size", [0, 4, 20_000])
def test_a_file_cut_short_is_damaged(broken: Path, size: int) -> None:
    file = broken / "model.safetensors"
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(ModelError, match="safetensors file is damaged .*: download it again"):
        load_language_model(str(broken))


def test_a_folder_without_a_tokenizer_is_refused(broken: Path) -> None:
    for file in broken.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(ModelError, match="broken has no tokenizer: put the model's"):
        load_language_model(str(broken))


def test_without_a_network_the_way_out_is_one_line(
    pez: Pez, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, where the hub's client would try for half a minute."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.utils.get_session", refuse)
    data = tmp_path / "d.jsonl"
    data.write_text('{"text": "x", "label": "a"}\n{"text": "y", "label": "b"}\n')
    code, out, err = pez(
        "learn-text", "--model", "nobody/has-this", "--data", str(data), "--verbalizer", "a=yes",
        "--verbalizer", "b=no",
    )  # fmt: skip
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "from the Hugging Face hub: no network; give a folder, or download it while" in err
    assert "hf download nobody/has-this" in err


def test_loading_says_nothing(whole: Path) -> None:
    """No bar; and what the hub's libraries warn of is not repeated by the command."""
    code = (
        "import sys, logging; from pez_core.cli import main; main(['models']);"
        "from pez_core.language_model import load_language_model;"
        "import huggingface_hub, transformers;"
        f"load_language_model({str(whole)!r});"
        "logging.getLogger('huggingface_hub.utils._http').warning('retrying');"
        "logging.getLogger('transformers.modeling_utils').warning('report')"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stderr == "" and "demo" in found.stdout
