"""Token Viewer: the targets of a learned prompt belong to the model that it was learned for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.nodes_graph import SMALL, Clip, Vision, text_model
from tests.support.nodes_sdxl import BIG
from tests.support.nodes_support import DEMO, Comfy, example, image_of, viewed

pytest_plugins = ("tests.support.nodes_fixtures",)

LEARNED_FOR, ITSELF = "what it was learned for", "the prompt itself"


def put(comfy: Comfy, name: str, model: Any) -> str:
    """The label of a file with the weights of a model."""
    comfy.put(f"text_encoders/{name}.safetensors", model.state_dict())
    return f"text_encoders/{name}.safetensors"


def compared_with(comfy: Comfy, learned: Any, **inputs: Any) -> str:
    found = viewed(comfy.view(tokens=learned.result[2], **inputs))["compared_with"]
    return str(found)


def test_two_files_are_two_models(comfy: Comfy) -> None:
    """Also if they have the same sizes: the features of one mean nothing to the other."""
    one, two = (put(comfy, f"clip {seed}", text_model(SMALL, seed)) for seed in (1, 2))
    learned = comfy.mix(model=one, prompt_1="a cat", mode="concatenate")
    assert compared_with(comfy, learned) == LEARNED_FOR
    assert compared_with(comfy, learned, model=one) == LEARNED_FOR
    assert compared_with(comfy, learned, model=two) == ITSELF


def test_an_encoder_of_a_graph_is_of_the_clip_of_its_sizes(comfy: Comfy) -> None:
    """A graph does not say which file it has loaded."""
    file = put(comfy, "clip", text_model(SMALL))
    clip = Clip(comfy, clip_h=text_model(SMALL))
    learned = comfy.mix(clip=clip, prompt_1="a cat", mode="concatenate")
    assert compared_with(comfy, learned, model=file) == LEARNED_FOR
    assert compared_with(comfy, learned) == LEARNED_FOR
    assert compared_with(comfy, learned, model=DEMO) == ITSELF


@pytest.mark.parametrize("dim", [24, 40])
def test_of_two_encoders_of_a_graph_it_is_the_one_learned_for(comfy: Comfy, dim: int) -> None:
    """Without a picture as well as with the picture itself."""
    clip = Clip(comfy, clip_l=text_model(SMALL, 11), clip_g=text_model(BIG, 12))
    given = {"model": "SDXL", "clip": clip, "clip_vision": Vision(dim=dim)}
    image = image_of(example())
    learned = comfy.learn(image, **given)
    for inputs, expected in (({}, LEARNED_FOR), ({"image": image}, "the picture")):
        shown = viewed(comfy.view(tokens=learned.result[2], **inputs))
        assert shown["compared_with"] == expected
        assert shown["similarity"] == pytest.approx(learned.result[1], abs=1e-5)
