"""Model folders: configurations in which something is wrong, and headers that lie."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file

from pez_core import load_model
from pez_core.clip.weights_file import WeightsFile
from tests.fuzz.hostile import (
    as_json,
    bytes_with_one_wrong,
    refused_or_done,
    values,
    with_one_wrong,
)
from tests.support.namings import hugging_face, open_clip
from tests.support.towers import architecture, hugging_face_config, text_cfg

few = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
ARCH = architecture(width=16, heads=2, mlp_width=64)
OPEN_CLIP = {
    "model_cfg": {
        "embed_dim": ARCH.embed_dim, "quick_gelu": False, "vision_cfg": ARCH.vision,
        "text_cfg": text_cfg(ARCH),
    },
    "preprocess_cfg": {
        "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "interpolation": "bicubic",
        "resize_mode": "shortest",
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A whole model in either notation."""
    made = {}
    for name, named, config, file in (
        ("open_clip", open_clip(ARCH), OPEN_CLIP, "open_clip_config.json"),
        ("hugging_face", hugging_face(ARCH), hugging_face_config(ARCH).to_dict(), "config.json"),
    ):
        folder = tmp_path_factory.mktemp(name)
        (folder / file).write_text(json.dumps(config))
        state = {key: value.contiguous() for key, value in named.state.items()}
        save_file(state, folder / "model.safetensors")
        made[name] = folder
    return made


def used(folder: Path) -> None:
    """Loads a model and uses both of its towers."""
    model = load_model(str(folder))
    model.encode_texts(["a cat"])
    model.encode_pictures([Image.new("RGB", (32, 32), "red")])


@pytest.mark.parametrize("kind", ["open_clip", "hugging_face"])
def test_the_whole_model_loads(folders: dict[str, Path], kind: str) -> None:
    used(folders[kind])


@few
@given(st.data())
@pytest.mark.parametrize("kind", ["open_clip", "hugging_face"])
def test_configurations(folders: dict[str, Path], kind: str, data: st.DataObject) -> None:
    (path,) = folders[kind].glob("*.json")
    right = path.read_bytes()
    config = json.loads(right)
    wrong = st.one_of(
        with_one_wrong(config).map(as_json), values.map(as_json), bytes_with_one_wrong(right)
    )
    path.write_bytes(data.draw(wrong))
    try:
        with refused_or_done():
            used(folders[kind])
    finally:
        path.write_bytes(right)


TENSORS = {
    "__metadata__": {"format": "pt"},
    "a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
    "logit_scale": {"dtype": "F16", "shape": [], "data_offsets": [16, 18]},
}


def file_of(header: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + bytes(18)


headers = st.one_of(
    with_one_wrong(TENSORS).map(as_json).map(file_of),
    values.map(as_json).map(file_of),
    st.builds(file_of, st.just(as_json(TENSORS)), st.integers(0, 2**64 - 1)),
    bytes_with_one_wrong(file_of(as_json(TENSORS))),
    st.binary(max_size=40),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(headers)
def test_headers(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with refused_or_done():
        file: Any = WeightsFile(path)
        for key in file:
            assert tuple(file[key].shape) == file.shape(key)
