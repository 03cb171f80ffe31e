"""Whatever a configuration says, what is wrong is our own error, which names the file and entry."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pez_core import load_model
from pez_core.clip.architecture import from_hugging_face, from_open_clip
from pez_core.clip.image_tower import preprocessing
from pez_core.clip.model_names import find_model
from pez_core.clip.vision import plain
from pez_core.clip.vision_config import checked_preprocess
from pez_core.errors import ModelError, PezError, WeightsError, printable
from pez_core.hub.configuration import MOST_BYTES, Section
from tests.support.folders import ARCH, CONFIG, PICTURE, open_clip_folder
from tests.support.towers import hugging_face_config

WHOLE = {"model_cfg": CONFIG, "preprocess_cfg": {"interpolation": "bilinear", "std": [1, 1, 1]}}
ODD = [
    "768", -1, 0, 0.5, float("nan"), float("inf"), None, [], [1], {}, {"a": 1}, True, "",
    "x" * 5000, 10**400, 2**63, "\ud800", [[[]]], [1, "2", None], 1e308, "hf-hub:a/b", "\n\x1b[31m",
]  # fmt: skip


def described(folder: Path) -> Path:
    open_clip_folder(folder)
    return folder / "open_clip_config.json"


def refused(folder: Path, *parts: str) -> str:
    """The error for a folder: one printable line, not long, that names what is wrong."""
    with pytest.raises(PezError) as caught:
        load_model(str(folder)).encode_pictures([PICTURE])
    message = str(caught.value)
    assert message.isprintable() and len(message) < 1500, message
    assert all(part in message for part in (str(folder), *parts)), message
    return message


def places(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The paths to all entries of a configuration."""
    if not isinstance(value, dict):
        return []
    return [p for k, v in value.items() for p in ((*path, k), *places(v, (*path, k)))]


def changed(config: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    result = copy.deepcopy(config)
    inner = result
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return result


HUGGING_FACE = json.loads(hugging_face_config(ARCH).to_json_string(use_diff=False))
FULL = changed(WHOLE, ("model_cfg", "vision_cfg"), {
    "image_size": 32, "patch_size": 16, "width": 48, "layers": 2, "head_width": 16,
    "mlp_ratio": 4.0, "ls_init_value": None, "patch_dropout": 0.0, "attentional_pool": False,
    "pool_type": "tok",
    "attn_pooler_queries": 256, "attn_pooler_heads": 8, "no_ln_pre": False, "output_tokens": False,
    "pos_embed_type": "learnable", "act_kwargs": None, "norm_kwargs": None, "block_type": None,
    "timm_model_name": None, "timm_pool": "avg", "timm_proj": "linear", "timm_drop": 0.0,
    "timm_drop_path": None, "timm_proj_bias": False, "timm_model_pretrained": False,
})  # fmt: skip


def build(config: dict[str, Any], read: Callable[..., Any]) -> None:
    """The architecture of a configuration, its tower and its preprocessing, or our own error."""
    try:
        arch = read(config)
    except ModelError as error:
        assert str(error).startswith("a.json") and printable(str(error)) == str(error)
        return
    if arch.vision is not None:
        preprocessing(arch)(PICTURE)
        if arch.vision.get("layers") in (2, [1, 1, 1, 1]):
            with torch.device("meta"):
                plain(arch.vision, arch.embed_dim, arch.activation)


@pytest.mark.parametrize("value", ODD, ids=lambda value: repr(value)[:20])
def test_every_entry_may_have_every_value(value: Any) -> None:
    """In both notations, at every place, each entry alone: read, or refused by name."""
    for path in places(FULL):
        config = changed(FULL, path, value)
        build(
            config,
            lambda c: from_open_clip(c["model_cfg"], c["preprocess_cfg"], name="a.json"),
        )
    for path in places(HUGGING_FACE):
        build(changed(HUGGING_FACE, path, value), lambda c: from_hugging_face(c, name="a.json"))


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.sampled_from(places(FULL)), st.sampled_from(places(FULL)), json_values, json_values)
def test_two_entries_may_have_any_value(
    one: tuple[str, ...], other: tuple[str, ...], value: Any, second: Any
) -> None:
    config = changed(FULL, one, value)
    with suppress(KeyError, TypeError, IndexError):  # the first may take the second's place away
        config = changed(config, other, second)
    build(config, lambda c: from_open_clip(c["model_cfg"], c["preprocess_cfg"], name="a.json"))


@pytest.mark.parametrize(("path", "value"), [
    (("model_cfg",), None), (("model_cfg", "vision_cfg"), []), (("model_cfg", "text_cfg"), None),
    (("model_cfg", "embed_dim"), "24"), (("model_cfg", "vision_cfg", "width"), None),
    (("model_cfg", "vision_cfg", "image_size"), "32"), (("model_cfg", "quick_gelu"), "yes"),
    (("model_cfg", "vision_cfg", "patch_size"), True), (("preprocess_cfg",), 3),
    (("model_cfg", "vision_cfg", "mlp_ratio"), float("nan")),
    (("preprocess_cfg", "std"), [0, 1, 1]),
    (("preprocess_cfg", "mean"), "red"), (("preprocess_cfg", "mean"), [0.5, 0.5]),
    (("preprocess_cfg", "interpolation"), "lanczos"), (("preprocess_cfg", "fill_color"), -1),
    (("preprocess_cfg", "resize_mode"), ["squash"]), (("model_cfg", "text_cfg", "new_entry"), 1),
    (("model_cfg", "vision_cfg", "new_entry"), 1), (("model_cfg", "text_cfg", "heads"), [4]),
])  # fmt: skip
def test_the_file_and_the_entry_are_named(
    path: tuple[str, ...], value: Any, tmp_path: Path
) -> None:
    file = described(tmp_path)
    file.write_text(json.dumps(changed(WHOLE, path, value)))
    refused(tmp_path, str(file), path[-1])


def test_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    """As editors of Windows write it, and its own encoding."""
    file = described(tmp_path)
    for encoding in ("utf-8-sig", "utf-16"):
        file.write_text(json.dumps(WHOLE), encoding=encoding)
        assert load_model(str(tmp_path)).source.arch.preprocess["interpolation"] == "bilinear"


CONTENTS: dict[str, bytes] = {
    "nothing": b"", "a list 200,000 levels deep": b"[" * 200_000,
    "a table 200,000 levels deep": b'{"a":' * 200_000 + b"1" + b"}" * 200_000,
    "an entry twice": b'{"model_cfg": {}, "model_cfg": {}}',
    "an inner entry twice": b'{"model_cfg": {"a\\n": 1, "a\\n": 2}}',
    "no text": bytes(range(256)), "a number of 5,000 digits": b"9" * 5000, "a text": b'"text"',
    "more than a configuration": b" " * (MOST_BYTES + 1),
}  # fmt: skip


@pytest.mark.parametrize("kind", CONTENTS)
def test_a_file_that_is_no_configuration_is_named(kind: str, tmp_path: Path) -> None:
    file = described(tmp_path)
    file.write_bytes(CONTENTS[kind])
    refused(tmp_path, str(file))


def test_a_configuration_that_is_no_file_is_named(tmp_path: Path) -> None:
    """A folder; and a pipe, which nobody waits for."""
    file = described(tmp_path)
    file.unlink()
    file.mkdir()
    refused(tmp_path, str(file), "is not a file")
    file.rmdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(file)
        refused(tmp_path, str(file), "is not a file")


@pytest.mark.parametrize("dtype", [torch.int16, torch.int8, torch.uint8, torch.bool, torch.int64])
def test_weights_of_whole_numbers_are_refused(dtype: torch.dtype, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    described(tmp_path)
    path = tmp_path / "open_clip_model.safetensors"
    state = load_file(path)
    for key in ("ln_final.weight", "visual.conv1.weight", "visual.ln_post.bias"):
        save_file({**state, key: state[key].to(dtype)}, path)
        refused(tmp_path, key, "quantised")


def test_every_registered_architecture_of_open_clip_is_still_read() -> None:
    """All with CLIP's text encoder, with the towers of timm; and every preprocessing."""
    read = 0
    for name in open_clip.list_models():
        config = open_clip.get_model_config(name)
        text = config["text_cfg"]
        sizes = {"context_length", "vocab_size", "width", "heads", "layers"}
        plain_text = set(text) <= sizes | {"no_causal_mask"} and not text.get("no_causal_mask")
        if plain_text and (text["context_length"], text["vocab_size"]) == (77, 49408):
            arch = find_model(f"{name}:a.safetensors").arch
            given = {k: v for k, v in config["vision_cfg"].items() if k in (arch.vision or {})}
            assert given == {k: (arch.vision or {})[k] for k in given}
            read += 1
    assert read >= 75
    for name, tag in open_clip.list_pretrained():
        trained = open_clip.get_pretrained_cfg(name, tag)
        found = checked_preprocess(Section(trained, name))
        assert {k: found[k] for k in ("mean", "std")} == {k: trained[k] for k in ("mean", "std")}


PATHS = [
    r"C:\models\clip_l.safetensors", "C:/models/clip_l.safetensors", "c:clip.safetensors",
    r"\\server\models\clip.safetensors", "/models/missing.safetensors", "./x.safetensors",
    "~/nowhere", "~nobody/x", "x.safetensors", "x.ckpt", "x.gguf", "X.SafeTensors", "models/x",
    "/" + "x" * 5000, "laion/CLIP-ViT-H-14", "../../x:y", "ViT-L-14:/models/missing.safetensors",
    "ViT-L-14:x.pt", r"ViT-L-14:C:\x.safetensors", "/models/a+b.safetensors",
]  # fmt: skip


@pytest.mark.parametrize("name", PATHS, ids=lambda name: ascii(name[:40]))
def test_a_path_is_a_missing_file(name: str) -> None:
    """On every system; never an architecture called C."""
    with pytest.raises((ModelError, WeightsError), match="no such file") as caught:
        load_model(name)
    message, path = str(caught.value), name.removeprefix("ViT-L-14:")
    assert message.isprintable() and len(message) < 1500 and path[:300] in message


@pytest.mark.parametrize(("name", "message"), [
    ("", "unknown model ''"), ("   ", "unknown model"), ("x" * 5000, "unknown model"),
    ("a\0b", "unknown model"), ("\ud800", "unknown model"),
    ("ab:" + "x" * 5000, "architecture 'ab'"),
    ("ViT-L-14:" + "x" * 5000, "no weights"), ("hf-hub:laion/CLIP", "no architecture 'hf-hub'"),
    ("x" * 5000 + ":y", "no architecture"),
])  # fmt: skip
def test_a_name_that_is_no_model_is_named(name: str, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        load_model(name)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 1500


def test_files_of_other_kinds_say_why(tmp_path: Path) -> None:
    """By their ending or their first bytes."""
    for name in ("a.gguf", "b.safetensors"):
        (tmp_path / name).write_bytes(b"GGUF" + bytes(100))
        with pytest.raises(WeightsError, match="is a GGUF file, whose quantised weights are not"):
            load_model(str(tmp_path / name))
    (tmp_path / "c.ckpt").write_bytes(bytes(100))
    with pytest.raises(WeightsError, match="is a pickle, which can run code"):
        load_model(str(tmp_path / "c.ckpt"))
    (tmp_path / "d.safetensors").touch()
    with pytest.raises(WeightsError, match="truncated or not a safetensors file"):
        load_model(str(tmp_path / "d.safetensors"))
