"""What a graph can send as IMAGE that is not a picture. It is refused before CLIP sees it, and the
error names the input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.support.nodes_support import DEMO, Comfy, example, image_of
from tests.support.oracle import DemoOracle

pytest_plugins = ("tests.support.nodes_fixtures",)

BAD = {
    "empty batch": ((0, 32, 32, 3), "contains no picture"),
    "no batch": ((32, 32, 3), "without its batch"),
    "a mask": ((2, 32, 32), "a mask.*Convert Mask to Image"),
    "two channels": ((1, 32, 32, 2), "2 colour channels"),
    "five channels": ((1, 32, 32, 5), "5 colour channels"),
    "one pixel": ((1, 1, 1, 3), "1 x 1 pixels, too small"),
    "a line": ((1, 2, 300, 3), "300 x 2 pixels, too small"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("name", ["image", "negative_image"])
def test_it_is_refused_by_the_learner(comfy: Comfy, case: str, name: str) -> None:
    shape, message = BAD[case]
    images = {"image": image_of(example()), name: torch.rand(shape)}
    with pytest.raises(comfy.errors.PictureError, match=rf"`{name}`.*{message}"):
        comfy.learn(**images)


@pytest.mark.parametrize("case", BAD)
def test_it_is_refused_by_the_others(comfy: Comfy, case: str) -> None:
    shape, message = BAD[case]
    with pytest.raises(comfy.errors.PictureError, match=f"`image_3`.*{message}"):
        comfy.mix(image_3=torch.rand(shape))
    with pytest.raises(comfy.errors.PictureError, match=f"`image`.*{message}"):
        comfy.view(prompt="a cat", model=DEMO, image=torch.rand(shape))


def test_alpha_is_laid_on_white(comfy: Comfy, tmp_path: Path) -> None:
    """As the command line does it, to the bit; alpha of all ones changes nothing."""
    see = comfy.module("nodes.models.pictures").pictures_of
    picture = example().convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    picture.save(tmp_path / "clear.png")
    (seen,) = see(torch.from_numpy(np.asarray(picture) / np.float32(255))[None], "image")
    opened = comfy.module("pez_core.pictures").open_picture(tmp_path / "clear.png")
    assert seen.mode == "RGB" and seen.tobytes() == opened.tobytes()
    plain = image_of(example())
    opaque = torch.cat([plain, torch.ones(1, 64, 64, 1)], dim=3)
    assert see(opaque, "image")[0].tobytes() == see(plain, "image")[0].tobytes()
    assert comfy.learn(opaque).result[:2] == comfy.learn(plain).result[:2]


def test_grey_is_a_picture(comfy: Comfy) -> None:
    """Of one channel: the same as three equal ones."""
    see = comfy.module("nodes.models.pictures").pictures_of
    grey = torch.rand(2, 16, 20, 1)
    for one, three in zip(see(grey, "i"), see(grey.expand(2, 16, 20, 3), "i"), strict=True):
        assert one.size == (20, 16) and one.tobytes() == three.tobytes()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_damaged_alpha_is_refused(comfy: Comfy, value: float) -> None:
    image = torch.rand(1, 16, 16, 4)
    image[0, 3, 3, 3] = value
    with pytest.raises(comfy.errors.PictureError, match=r"`image`.*NaN or infinity"):
        comfy.learn(image)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_numbers_are_refused(comfy: Comfy, value: float) -> None:
    """One of them is enough, in the last picture of a batch."""
    image = torch.rand(2, 32, 32, 3)
    image[1, 31, 31, 2] = value
    with pytest.raises(comfy.errors.PictureError, match=r"`image`.*NaN or infinity.*VAE"):
        comfy.learn(image)


def test_a_huge_picture_is_refused(comfy: Comfy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comfy.module("pez_core.pictures"), "MOST_PIXELS", 4000)
    with pytest.raises(comfy.errors.PictureError, match=r"`image`: 64 x 64 pixels are more"):
        comfy.learn(image_of(example()))


def test_a_very_long_picture_is_seen(comfy: Comfy) -> None:
    """Resized by its short side it would be immense."""
    out = comfy.learn(torch.rand(1, 1, 1, 3).expand(1, 8, 70_000, 3))
    assert -1 <= out.result[1] <= 1 and out.result[0]


def test_values_beyond_white_and_black_are_cut(comfy: Comfy, oracle: DemoOracle) -> None:
    """As ComfyUI's own preview does it; half precision is as good."""
    image = image_of(example()).clone()
    see = comfy.module("nodes.models.pictures").pictures_of
    beyond = torch.where(image > 0.9, 1.7, torch.where(image < 0.1, -0.6, image))
    cut = beyond.clamp(0, 1)
    (seen,), (expected,) = see(beyond, "image"), see(cut, "image")
    assert seen.tobytes() == expected.tobytes()
    features = oracle.pictures(see(image.half(), "image"))
    assert torch.cosine_similarity(features, oracle.pictures([example()])).item() > 0.999


def test_a_picture_of_bytes_comes_through_unchanged(comfy: Comfy) -> None:
    """Width and height in their places, every value as it was in the file."""
    picture = Image.effect_noise((23, 17), 90).convert("RGB")
    (seen,) = comfy.module("nodes.models.pictures").pictures_of(image_of(picture), "image")
    assert seen.size == (23, 17) and seen.tobytes() == picture.tobytes()


def test_values_are_rounded(comfy: Comfy) -> None:
    (seen,) = comfy.module("nodes.models.pictures").pictures_of(
        torch.full((1, 8, 8, 3), 0.7866), "image"
    )
    assert seen.getpixel((0, 0)) == (201, 201, 201)  # 200.58
