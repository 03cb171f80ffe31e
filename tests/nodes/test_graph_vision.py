"""The CLIP_VISION of a graph, alone and with its CLIP: both have to be parts of one CLIP."""

from __future__ import annotations

import pytest
import torch

from tests.support.nodes_graph import WIDE, Clip, Vision, text_model
from tests.support.nodes_support import Comfy, example, image_of
from tests.support.towers import hugging_face_features

pytest_plugins = ("tests.support.nodes_fixtures",)


def test_picture_and_text_of_the_graph(comfy: Comfy) -> None:
    """Nothing is read of a file; the similarity is that of the two encoders."""
    model, vision = text_model(), Vision()
    given = {"clip": Clip(comfy, clip_h=model), "clip_vision": vision, "model": "SD 1.5"}
    out = comfy.learn(image_of(example()), **given)
    with torch.inference_mode():
        seen = vision.layer(image_of(example()).mean(dim=(1, 2)))
    expected = torch.cosine_similarity(seen, hugging_face_features(model, [out.ui["text"][0]]))
    assert out.result[1] == pytest.approx(expected.item(), abs=1e-5)
    assert out.ui["pez"][0]["model"] == "CLIP-H of the graph"
    assert comfy.learn(image_of(example()), **given).result[1] == out.result[1]


def test_a_large_batch_goes_in_parts(comfy: Comfy) -> None:
    """A film's frames would not fit the device at once."""
    vision = Vision()
    batch = torch.rand(37, 16, 16, 3)
    out = comfy.learn(batch, clip=Clip(comfy, clip_h=text_model()), clip_vision=vision)
    assert sum(vision.batches) == 37 and max(vision.batches) <= 16
    assert out.result[2].targets.features.shape == (37, 24)


def test_a_vision_without_picture_features_is_refused(comfy: Comfy) -> None:
    """Such as SigLIP's or DINO's, whose output has none."""
    vision = Vision()
    vision.encode_image = lambda image: {"image_embeds": None}  # type: ignore[method-assign]
    with pytest.raises(comfy.errors.ModelError, match="CLIP_VISION connected is not a CLIP"):
        comfy.learn(image_of(example()), clip_vision=vision)


def test_dimensions_must_agree(comfy: Comfy) -> None:
    """Of a vision with the text encoder of the graph, and with that of a model."""
    vision = Vision(dim=40)
    clip = Clip(comfy, clip_h=text_model())
    with pytest.raises(comfy.errors.ModelError, match="40 dimensions.*CLIP-H of 24.*same CLIP"):
        comfy.learn(image_of(example()), clip=clip, clip_vision=vision)
    with pytest.raises(comfy.errors.ModelError, match="40 dimensions.*192.*of the same CLIP"):
        comfy.learn(image_of(example()), clip_vision=vision)
    with pytest.raises(comfy.errors.ModelError, match="192 dimensions.*CLIP-H of 24"):
        comfy.learn(image_of(example()), clip=clip)  # seen by the model of the drop-down


@pytest.mark.parametrize(("width", "fits"), [(1280, True), (1024, False), (1664, False)])
def test_the_family_must_agree(comfy: Comfy, width: int, fits: bool) -> None:
    """Two CLIPs may have features of the same size; the widths of their towers tell them apart."""
    encoder = comfy.module("nodes.models.encoder")
    clip = Clip(comfy, clip_h=text_model(WIDE))
    request = encoder.ModelRequest("demo (clip-art only)", clip, Vision(dim=1024, width=width))
    images = {"image": image_of(example())}
    if fits:
        assert encoder.open_encoder(request, images)[0].source.arch.width == 1024
        return
    with pytest.raises(comfy.errors.ModelError, match=rf"width of {width}.*one of 1280.*differ"):
        encoder.open_encoder(request, images)
