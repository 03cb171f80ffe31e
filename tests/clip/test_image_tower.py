"""Features of pictures equal those of the libraries whose files are read."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from pez_core import ClipModel
from pez_core.clip import image_tower
from pez_core.clip.architecture import Architecture
from pez_core.clip.image_tower import encode_pictures, load_image_tower, preprocessing
from pez_core.clip.source import JointSource, Source
from pez_core.clip.weights_file import WeightsFile
from pez_core.errors import ModelError, PictureError, WeightsError
from tests.support.oracle import DemoOracle
from tests.support.towers import ACTIVATIONS, architecture, hugging_face_model, open_clip_model


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """A picture that is nowhere even."""
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


PICTURES = [noise(32, 32), noise(100, 40, 1), noise(31, 77, 2), Image.new("RGB", (5, 5), "red")]


def written(model: torch.nn.Module, folder: Path, **changes: Tensor | None) -> Path:
    """The model's tensors in a file; a change of None leaves a tensor out."""
    state = {**model.state_dict(), **changes}
    path = folder / "model.safetensors"
    save_file({k: v.contiguous().clone() for k, v in state.items() if v is not None}, path)
    return path


def see(
    path: Path, arch: Architecture, pictures: Sequence[Image.Image] = tuple(PICTURES)
) -> Tensor:
    return encode_pictures(Source("a test", arch, path), pictures, "cpu")


def pixels(arch: Architecture) -> Tensor:
    return torch.stack([preprocessing(arch)(picture) for picture in PICTURES])


def assert_same(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_an_open_clip_file_gives_open_clips_features(activation: str, tmp_path: Path) -> None:
    """Vision transformer, to 1e-5."""
    arch = architecture(activation)
    model = open_clip_model(arch)
    ours = see(written(model, tmp_path), arch)
    assert_same(ours, F.normalize(model.encode_image(pixels(arch)), dim=-1))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_hugging_face_file_gives_transformers_features(activation: str, tmp_path: Path) -> None:
    """The same pixels give what `get_image_features` gives."""
    arch = architecture(activation)
    model = hugging_face_model(arch)
    theirs = model.get_image_features(pixels(arch))
    ours = see(written(model, tmp_path), arch)
    assert_same(ours, F.normalize(getattr(theirs, "pooler_output", theirs), dim=-1))


def test_the_embedded_model_sees_as_open_clip_does(demo: ClipModel, oracle: DemoOracle) -> None:
    """Its residual network, preprocessing included, and unit length."""
    assert_same(demo.encode_pictures(PICTURES), oracle.pictures(PICTURES))


def test_preprocessing_is_read_from_the_configuration() -> None:
    """Mean, deviation and resizing are the model's own, OpenAI's where it says nothing."""
    own = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bilinear"}
    white = Image.new("RGB", (8, 8), "white")
    plain = preprocessing(architecture())(white)
    changed = preprocessing(replace(architecture(), preprocess=own))(white)
    assert plain.shape == changed.shape == (3, 32, 32)
    assert_same(changed, torch.ones(3, 32, 32))
    expected = (1 - torch.tensor([0.48145466, 0.4578275, 0.40821073])) / torch.tensor(
        [0.26862954, 0.26130258, 0.27577711]
    )
    assert_same(plain, expected[:, None, None].expand(3, 32, 32))


def test_many_pictures_keep_their_order(tmp_path: Path) -> None:
    """More than one pass is needed, and every row is that of its picture alone."""
    arch = architecture()
    path = written(open_clip_model(arch), tmp_path)
    pictures = [noise(40, 40, seed) for seed in range(37)]
    together = see(path, arch, pictures)
    for row in (0, 15, 16, 36):
        alone = see(path, arch, [pictures[row]])
        assert_same(together[row : row + 1], alone)


@pytest.fixture
def two(tmp_path: Path) -> JointSource:
    """Two models with image towers of their own."""
    arch, parts = architecture(), []
    for seed, name in enumerate(("first", "second"), start=1):
        (tmp_path / name).mkdir()
        path = written(open_clip_model(arch, seed), tmp_path / name)
        parts.append(Source(name, arch, path))
    return JointSource("both", tuple(parts), (1, 3))


def test_several_towers_are_open_one_after_the_other(
    two: JointSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is gone from memory before the second is read."""
    real, opened, alive = image_tower.WeightsFile, list[Path](), list[int]()

    def watched(path: Path) -> WeightsFile:
        opened.append(path)
        alive.append(sum(issubclass(type(thing), torch.nn.Module) for thing in gc.get_objects()))
        return real(path)

    monkeypatch.setattr(image_tower, "WeightsFile", watched)
    gc.collect()
    seen = encode_pictures(two, PICTURES, "cpu")
    assert opened == [part.path for part in two.parts]
    assert alive[0] == alive[1] > 0  # of the one that is about to be filled
    for part, own in zip(two.parts, seen.chunk(2, dim=1), strict=True):
        expected = encode_pictures(part, PICTURES, "cpu")
        assert_same(own, expected * two.weights[two.parts.index(part)] ** 0.5)


def test_towers_that_are_held_are_not_read_again(
    two: JointSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The features are the same, and every pass is reported."""
    expected, told = encode_pictures(two, PICTURES, "cpu"), list[int]()
    towers = {part.name: load_image_tower(part) for part in two.parts}
    monkeypatch.setattr(image_tower, "WeightsFile", None)
    held = encode_pictures(
        two, PICTURES * 2, "cpu", lambda part: towers[part.name], lambda: told.append(1)
    )
    assert_same(held, torch.cat([expected, expected]))
    assert len(told) == 2 * len(two.parts)


def test_no_picture_is_an_error(demo: ClipModel) -> None:
    """An empty list raises an error; it does not give an empty matrix."""
    with pytest.raises(PictureError, match="no picture.*at least one"):
        demo.encode_pictures([])


def test_a_text_encoder_alone_cannot_see(tmp_path: Path) -> None:
    """By its configuration, or by what the file lacks."""
    arch = architecture()
    model = open_clip_model(arch)
    path = written(model, tmp_path)
    with pytest.raises(ModelError, match=f"{path}.*text encoder alone.*or use texts"):
        see(path, replace(arch, vision=None))
    nothing = {k: None for k in model.state_dict() if k.startswith("visual.")}
    path = written(model, tmp_path, **nothing)
    with pytest.raises(WeightsError, match=f"{path} has no .*complete CLIP file.*texts"):
        see(path, arch)
    with pytest.raises(ModelError, match=r"^a graph.*text encoder alone.*or use texts"):
        encode_pictures(Source("a graph", arch, None), PICTURES, "cpu")


def test_every_missing_tensor_of_the_image_tower_is_noticed(tmp_path: Path) -> None:
    """In both namings; a tower with a hole is never filled with chance."""
    arch = architecture(vocab_size=8)
    for model in (open_clip_model(arch), hugging_face_model(arch)):
        keys = [k for k in model.state_dict() if k.startswith("vis")]
        assert len(keys) >= 32
        for key in keys:
            path = written(model, tmp_path, **{key: None})
            with pytest.raises(WeightsError, match=f"{path} has no "):
                see(path, arch, PICTURES[:1])


def test_an_image_tower_of_another_size_does_not_fit(tmp_path: Path) -> None:
    """The configuration of a wider tower is refused."""
    arch = architecture()
    path = written(open_clip_model(arch), tmp_path)
    assert arch.vision is not None
    wider = replace(arch, vision={**arch.vision, "width": 64})
    with pytest.raises(WeightsError, match=f"{path}: the image tower does not fit"):
        see(path, wider)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_damaged_image_tower_gives_no_feature(value: float, tmp_path: Path) -> None:
    """Weights that are not numbers are refused, as those of the text tower are."""
    arch = architecture()
    model = open_clip_model(arch)
    bad = model.visual.proj.clone()
    bad[0, 0] = value
    path = written(model, tmp_path, **{"visual.proj": bad})
    with pytest.raises(WeightsError, match=f"{path}.*not finite"):
        see(path, arch)
