"""Models by name: presets, open_clip's registry, files and folders; and what is said where there is
none."""

from __future__ import annotations

import json
import re
from pathlib import Path

import open_clip
import pytest
import torch

from pez_core import ClipModel, load_model, make_mask
from pez_core.clip.model_names import PRESETS, find_model
from pez_core.errors import ModelError, WeightsError
from tests.support.commands import run
from tests.support.folders import ARCH, CONFIG, PICTURE, open_clip_folder, save
from tests.support.towers import (
    TEXTS,
    architecture,
    hugging_face_config,
    hugging_face_features,
    hugging_face_model,
    open_clip_features,
    open_clip_model,
    randomise,
)


def assert_same(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def refused(name: object, match: str) -> None:
    with pytest.raises(ModelError, match=match):
        load_model(str(name))


def test_an_open_clip_folder_is_a_model(tmp_path: Path) -> None:
    """Texts as open_clip encodes them, activation and preprocessing from the configuration."""
    model = open_clip_folder(tmp_path)
    loaded = load_model(str(tmp_path))
    assert loaded.name == str(tmp_path)
    assert loaded.source.arch.activation == "quick_gelu"
    assert loaded.source.arch.preprocess["interpolation"] == "bilinear"
    assert_same(loaded.encode_texts(TEXTS), open_clip_features(model))
    assert loaded.encode_pictures([PICTURE]).shape == (1, ARCH.embed_dim)


@pytest.mark.parametrize("activation", ["gelu", "quick_gelu"])
def test_a_hugging_face_folder_is_a_model(activation: str, tmp_path: Path) -> None:
    """As transformers saves it: the same texts, and pictures."""
    model = hugging_face_model(architecture(activation))
    model.save_pretrained(tmp_path)
    loaded = load_model(str(tmp_path))
    assert loaded.source.arch.activation == activation
    assert_same(loaded.encode_texts(TEXTS), hugging_face_features(model))
    assert loaded.encode_pictures([PICTURE]).norm().item() == pytest.approx(1, abs=1e-5)


def test_a_text_encoder_alone_has_no_pictures(tmp_path: Path) -> None:
    """transformers' CLIPTextModelWithProjection: texts as ever, and a word about pictures."""
    from transformers import CLIPTextModelWithProjection

    model = randomise(CLIPTextModelWithProjection(hugging_face_config(ARCH).text_config), 0)
    model.save_pretrained(tmp_path)
    loaded = load_model(str(tmp_path))
    assert_same(loaded.encode_texts(TEXTS), hugging_face_features(model))
    with pytest.raises(ModelError, match="text encoder alone.*use texts"):
        loaded.encode_pictures([PICTURE])


@pytest.mark.parametrize("config", ["tiny.json", "open_clip_config.json", "config.json"])
def test_a_file_finds_its_configuration_next_to_it(config: str, tmp_path: Path) -> None:
    """Under its own name, or under the names that folders use."""
    model = open_clip_model(ARCH)
    path = save(model, tmp_path / "tiny.safetensors")
    (tmp_path / config).write_text(json.dumps(CONFIG))
    assert_same(load_model(str(path)).encode_texts(TEXTS), open_clip_features(model))


def test_a_file_without_configuration_is_not_guessed(tmp_path: Path) -> None:
    """The message shows both ways to say what it is."""
    path = save(open_clip_model(ARCH), tmp_path / "a.safetensors")
    refused(path, rf"{re.escape(str(path))}.*as in ViT-L-14-quickgelu:.*next to it as a\.json")


def test_a_registered_architecture_names_a_file(tmp_path: Path) -> None:
    """`NAME:FILE`: open_clip's sizes and activation, the file's weights."""
    (tmp_path / "pez-test-tiny.json").write_text(json.dumps(CONFIG))
    open_clip.add_model_config(tmp_path / "pez-test-tiny.json")
    model = open_clip_model(ARCH)
    path = save(model, tmp_path / "weights.safetensors")
    loaded = load_model(f"pez-test-tiny:{path}")
    assert_same(loaded.encode_texts(TEXTS), open_clip_features(model))
    with pytest.raises(WeightsError, match=r"none\.safetensors: no such file"):
        load_model(f"pez-test-tiny:{tmp_path / 'none.safetensors'}")


def test_a_models_own_words_are_its_vocabulary(demo: ClipModel, tmp_path: Path) -> None:
    """A folder's words.txt narrows the vocabulary "words"; the embedded model has one."""
    open_clip_folder(tmp_path)
    assert load_model(str(tmp_path)).source.words is None
    (tmp_path / "words.txt").write_text("# known\ndog\nox\n")
    assert load_model(str(tmp_path)).source.words == {"dog", "ox"}
    assert demo.source.words
    mask = make_mask(demo.vocabulary, "words", words=demo.source.words)
    assert {t.text for t in demo.vocabulary.tokens(mask.ids)} <= demo.source.words
    assert len(mask.ids) > 300


def test_every_preset_has_a_name_and_a_source() -> None:
    """All but the embedded one and the sums are weights that open_clip knows, with CLIP's text
    encoder."""
    assert {"demo", "sd15", "sd2", "sdxl", "sdxl-l", "sdxl-g", "flux"} <= set(PRESETS)
    for name, preset in PRESETS.items():
        assert preset.about
        if name == "demo":
            assert preset.source is None
            continue
        if "+" in str(preset.source):
            assert set(str(preset.source).split("+")) < set(PRESETS)
            continue
        architecture_name, tag = str(preset.source).split(":")
        assert open_clip.get_pretrained_cfg(architecture_name, tag)
        assert find_model(f"{architecture_name}:a.safetensors").arch.vocab_size == 49408


def test_without_network_a_preset_says_what_to_place_where(tmp_path: Path) -> None:
    """The file of the hub, and the path at which it is looked for."""
    result = run("invert", "--text", "a dog", "--model", "sd15", cache=tmp_path)
    assert result.returncode == 2 and result.stdout == ""
    place = re.escape(str(tmp_path / "ViT-L-14-openai.safetensors"))
    assert re.search(
        r"sd15 is not on this machine.*By hand: put.* open_clip_model\.safetensors of "
        rf"https://huggingface\.co/timm/vit_large_patch14_clip_224\.openai at {place}\. .*demo",
        result.stderr.strip(),
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sd99", r"unknown model 'sd99'.*demo, sd15.*NAME:TAG.*safetensors file"),
        ("", "not a model|unknown model"),
        ("ViT-L-14:nobody", "no weights 'nobody' for ViT-L-14; it has: .*openai"),
        ("ViT-L-14:", "no weights '' for ViT-L-14"),
        ("ViT-Q-99:openai", "no architecture 'ViT-Q-99'.*`pez models`"),
        ("ViT-B-16-SigLIP:webli", "ViT-B-16-SigLIP: .*not CLIP's causal.*such as ViT-L-14"),
        ("coca_ViT-B-32:laion2b_s13b_b90k", "coca_ViT-B-32: .*not CLIP's causal transformer"),
        ("xlm-roberta-base-ViT-B-32:laion5b_s13b_b90k", "xlm-roberta.*not CLIP's causal"),
    ],
)
def test_a_name_that_is_not_a_model_is_refused(name: str, message: str) -> None:
    """Unknown names, tags and architectures, and models with other text encoders."""
    refused(name, message)


@pytest.mark.parametrize("missing", ["open_clip_model.safetensors", "open_clip_config.json"])
def test_a_folder_needs_both_parts(missing: str, tmp_path: Path) -> None:
    """Configuration and weights; the message names both."""
    open_clip_folder(tmp_path)
    (tmp_path / missing).unlink()
    message = r"is not a model: it needs open_clip_config\.json or config\.json and open_clip_model"
    refused(tmp_path, re.escape(str(tmp_path)) + ".*" + message)


@pytest.mark.models
def test_a_file_placed_by_hand_is_used_without_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At its place under PEZ_MODELS, and with the activation of the weights: OpenAI's ViT-L-14 has
    quick_gelu, though open_clip's architecture of that name has not."""
    sizes = {"embed_dim": 768, "width": 768, "layers": 12, "heads": 12, "mlp_width": 3072}
    model = open_clip_model(architecture("quick_gelu", **sizes))
    path = save(model, tmp_path / "ViT-L-14-openai.safetensors")
    monkeypatch.setenv("PEZ_MODELS", str(tmp_path))
    for name in ("sd15", "ViT-L-14:openai"):
        loaded = load_model(name)
        assert (loaded.name, loaded.source.path) == (name, path)
        assert loaded.source.arch.activation == "quick_gelu"
    assert_same(loaded.encode_texts(TEXTS), open_clip_features(model))
    assert find_model(f"ViT-L-14:{path}").arch.activation == "gelu"
