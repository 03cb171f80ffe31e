"""The plain image towers and their preprocessing against open_clip's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from pez_core.clip.architecture import OPENAI_MEAN, OPENAI_STD, Architecture
from pez_core.clip.image_tower import preprocessing
from pez_core.clip.vision import plain, plain_preprocessing
from tests.support.towers import ACTIVATIONS, architecture, open_clip_model

RESNET = {"image_size": 64, "layers": [1, 2, 2, 1], "width": 8, "head_width": 16}
ODD = [
    {"timm_model_name": "resnet18"}, {"pool_type": "avg"}, {"attentional_pool": True},
    {"ls_init_value": 0.1}, {"no_ln_pre": True}, {"qk_norm": True}, {"image_size": [32, 16]},
    {"something_new": 1}, {"act_kwargs": {"approximate": "tanh"}},
]  # fmt: skip


def tower_of(arch: Architecture) -> Any:
    assert arch.vision is not None
    return plain(arch.vision, arch.embed_dim, arch.activation)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("vision", [None, {"mlp_ratio": 2.0}, {"patch_dropout": 0.5}, RESNET])
@torch.no_grad()
def test_a_tower_gives_open_clips_features(vision: dict[str, Any] | None, activation: str) -> None:
    """The same tensors under the same names, and the same result to 1e-5, in each kind of tower."""
    arch = architecture(activation)
    assert arch.vision is not None
    vision = RESNET if vision is RESNET else {**arch.vision, **(vision or {})}
    arch = replace(arch, vision=vision)
    theirs = open_clip_model(arch).visual
    ours = tower_of(arch).eval()
    state = {k: v for k, v in theirs.state_dict().items()}
    assert {k: v.shape for k, v in ours.state_dict().items()} == {
        k: v.shape for k, v in state.items()
    }
    for name, value in state.items():  # norms that have seen pictures
        if name.endswith(("running_mean", "running_var")):
            value.copy_(torch.rand(value.shape, generator=torch.Generator().manual_seed(1)) + 0.5)
    ours.load_state_dict(state)
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randn(3, 3, vision["image_size"], vision["image_size"], generator=generator)
    expected = theirs(pixels)
    assert expected.std() > 0.05
    torch.testing.assert_close(ours(pixels), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("odd", ODD)
def test_other_towers_are_left_to_open_clip(odd: dict[str, Any]) -> None:
    """A setting that changes the tower, known or not, is never overlooked."""
    arch = architecture()
    assert arch.vision is not None
    assert plain(arch.vision, 24, "gelu") is not None
    assert plain({**arch.vision, **odd}, 24, "gelu") is None


def open_clips(picture: Image.Image, size: int, interpolation: str) -> Tensor:
    from open_clip.transform import image_transform

    prepare = image_transform(
        size, is_train=False, mean=OPENAI_MEAN, std=OPENAI_STD, interpolation=interpolation
    )
    result: Tensor = prepare(picture)
    return result


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize(
    ("width", "height"), [(32, 32), (32, 45), (45, 32), (5, 5), (333, 79), (31, 257), (64, 65)]
)
def test_preprocessing_is_open_clips_to_the_bit(
    width: int, height: int, interpolation: str
) -> None:
    """Larger, smaller, equal, wide, tall and odd sizes."""
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    picture = Image.fromarray(values)
    for size in (32, 33):
        ours = plain_preprocessing(size, OPENAI_MEAN, OPENAI_STD, {"interpolation": interpolation})
        assert ours is not None
        assert torch.equal(ours(picture), open_clips(picture, size, interpolation))


@pytest.mark.parametrize("settings", [{"resize_mode": "squash"}, {"resize_mode": "longest"}])
def test_other_ways_to_resize_are_open_clips(settings: dict[str, str]) -> None:
    """They are not done here, and still done."""
    assert plain_preprocessing(32, OPENAI_MEAN, OPENAI_STD, settings) is None
    picture = Image.new("RGB", (64, 32), "red")
    result = preprocessing(replace(architecture(), preprocess=settings))(picture)
    assert result.shape == (3, 32, 32)
