"""Text encoders with other tables than CLIP's, and with names that leave out `text_model.`."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pez_core import load_model
from pez_core.clip.tensor_shapes import largest_text_tower
from pez_core.clip.weights import load_projection, load_text_tower
from pez_core.clip.weights_file import WeightsFile
from pez_core.errors import ModelError
from tests.support.folders import ARCH, CONFIG, open_clip_folder
from tests.support.namings import State, behind, hugging_face_text
from tests.support.towers import TEXTS, architecture, open_clip_features, sequences

TABLE = "token_embedding.weight"


def more_rows(folder: Path, rows: int, entry: int) -> Tensor:
    """A folder whose token table has more rows, and open_clip's features without them."""
    model = open_clip_folder(folder)
    path = folder / "open_clip_model.safetensors"
    state = load_file(path)
    added = torch.full((rows, ARCH.width), 9.0)
    save_file({**state, TABLE: torch.cat([state[TABLE], added])}, path)
    config: dict[str, Any] = {**CONFIG, "text_cfg": {**CONFIG["text_cfg"], "vocab_size": entry}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return open_clip_features(model)


@pytest.mark.parametrize("rows", [1, 77])
def test_rows_after_clips_tokens_are_not_used(
    rows: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Training with words of its own appends them. Texts are encoded as ever, and it is said."""
    expected = more_rows(tmp_path, rows, 49408 + rows)
    with caplog.at_level(logging.WARNING):
        loaded = load_model(str(tmp_path))
    torch.testing.assert_close(loaded.encode_texts(TEXTS), expected, atol=1e-5, rtol=0)
    assert loaded.tower.token_embedding.shape == (49408, ARCH.width)
    assert f"{49408 + rows} rows" in caplog.text
    joint = load_model(f"{tmp_path}+demo")  # tables of one size
    assert joint.tower.token_embedding.shape[0] == 49408
    source = loaded.source.parts[0]
    assert source.path is not None
    table, _ = load_projection(WeightsFile(source.path), source.arch, source="a test")
    assert len(table) == 49408


@pytest.mark.parametrize(("sizes", "message"), [
    ({"vocab_size": 49407}, "49407 tokens and 77 positions, but CLIP has 49408 and 77"),
    ({"vocab_size": 64000}, "64000 tokens and 77 positions.*other tokenisers"),
    ({"context_length": 248}, r"encoders of 248 positions \(Long-CLIP\) are not supported yet"),
    ({"context_length": 32}, "49408 tokens and 32 positions.*not supported"),
])  # fmt: skip
def test_other_tables_are_refused_for_the_true_reason(
    sizes: dict[str, int], message: str, tmp_path: Path
) -> None:
    open_clip_folder(tmp_path)
    config = {**CONFIG, "text_cfg": {**CONFIG["text_cfg"], **sizes}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=message):
        load_model(str(tmp_path))
    hugging_face = {"model_type": "clip_text_model", "vocab_size": 49408, **{
        {"context_length": "max_position_embeddings"}.get(k, k): v for k, v in sizes.items()
    }}  # fmt: skip
    (tmp_path / "open_clip_config.json").write_text(json.dumps(hugging_face))
    with pytest.raises(ModelError, match=message):
        load_model(str(tmp_path))


@pytest.mark.parametrize("prefix", ["", "transformer.", "cond_stage_model.transformer.", "a{0}."])
def test_names_without_text_model_are_read(prefix: str, tmp_path: Path) -> None:
    """As old tools and text encoders on their own have them; also without a configuration."""
    arch = architecture(width=64, heads=1, mlp_width=256)
    named = hugging_face_text(arch)
    state: State = {k.removeprefix("text_model."): v for k, v in named.state.items()}
    path = tmp_path / "flat.safetensors"
    save_file({k: v.contiguous() for k, v in behind(prefix, state).items()}, path)
    tower = load_text_tower(WeightsFile(path), arch, source=str(path))
    found = tower.encode_ids(sequences(TEXTS))
    torch.testing.assert_close(found, named.features, atol=1e-5, rtol=0)
    recognised = largest_text_tower(WeightsFile(path))
    assert recognised and recognised[1] == prefix
    assert {**vars(recognised[0]), "vision": None} == {**vars(arch), "vision": None}
