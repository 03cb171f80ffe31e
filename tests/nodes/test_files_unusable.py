"""Files in ComfyUI's folders that are not a CLIP: not offered, and no harm to those that are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.support.namings import State, hugging_face_text
from tests.support.nodes_graph import SMALL
from tests.support.nodes_support import Comfy
from tests.support.towers import hugging_face_model

pytest_plugins = ("tests.support.nodes_fixtures",)

TABLE = "text_model.embeddings.token_embedding.weight"
PATCHES = "vision_model.embeddings.patch_embedding.weight"


def without(part: str, state: dict[str, Tensor]) -> State:
    return {key: value for key, value in state.items() if not key.startswith(part)}


def test_what_is_not_a_clip_is_not_offered(comfy: Comfy) -> None:
    """Without a projection, an image model, a damaged file, a pickle, a broken link, an empty
    one."""
    state, whole = hugging_face_text(SMALL).state, hugging_face_model(SMALL).state_dict()
    comfy.put("text_encoders/bare.safetensors", without("text_projection", state))
    comfy.put("text_encoders/t5.safetensors", {"shared.weight": torch.zeros(8, 4)})
    comfy.put("checkpoints/unet.safetensors", {"model.diffusion_model.x": torch.zeros(2, 2)})
    comfy.put("clip_vision/vision.safetensors", without("text", whole))
    cut = comfy.put("text_encoders/cut.safetensors", state)
    cut.write_bytes(cut.read_bytes()[:-100])
    (comfy.folders["checkpoints"] / "empty.safetensors").touch()
    (comfy.folders["checkpoints"] / "noise.safetensors").write_bytes(bytes(range(256)) * 9)
    (comfy.folders["checkpoints"] / "link.safetensors").symlink_to("nowhere")
    torch.save(state, comfy.folders["text_encoders"] / "clip.pt")
    comfy.put("text_encoders/clip.safetensors", state)
    assert comfy.offered() == ["text_encoders/clip.safetensors"]


@pytest.mark.parametrize("name", [TABLE, "text_projection.weight", PATCHES])
def test_a_tensor_of_another_kind_does_no_harm(comfy: Comfy, name: str) -> None:
    """Such as quantisers make of one: the file is not offered, and the others are."""
    state = hugging_face_model(SMALL).state_dict()
    comfy.put("text_encoders/clip.safetensors", state)
    comfy.put("text_encoders/flat.safetensors", {**state, name: torch.zeros(768)})
    assert "text_encoders/clip.safetensors" in comfy.offered()


def test_a_file_that_may_not_be_read_does_no_harm(
    comfy: Comfy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opened as a user without the right to."""
    comfy.put("text_encoders/secret.safetensors", hugging_face_text(SMALL).state)

    def refuse(*args: Any, **options: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert comfy.offered() == []
