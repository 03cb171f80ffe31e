"""Values that another node returns, and that ComfyUI does not check: refused by their names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.support.nodes_support import DEMO, Comfy, example, image_of

pytest_plugins = ("tests.support.nodes_fixtures",)

TEXTS = ("model", "preset", "vocabulary", "ban", "template", "text_targets")
NUMBERS = ("tokens", "steps", "seed", "restarts", "learning_rate", "weight_decay", "seconds")


@pytest.mark.parametrize("name", [*TEXTS, *NUMBERS, "image"])
@pytest.mark.parametrize("value", [None, ["a"], {"b": 1}, b"x"])
def test_a_value_of_another_type_is_named(comfy: Comfy, name: str, value: Any) -> None:
    given = {"image": image_of(example()), name: value}
    with pytest.raises(comfy.errors.ConfigError, match=rf"^`{name}` is .*, but must be a"):
        comfy.learn(**given)


@pytest.mark.parametrize("name", NUMBERS)
def test_a_text_is_no_number(comfy: Comfy, name: str) -> None:
    for value in ("3", True):
        with pytest.raises(comfy.errors.ConfigError, match=f"^`{name}` is "):
            comfy.learn(image_of(example()), **{name: value})


@pytest.mark.parametrize(
    "given",
    [{"prompt_2": 5}, {"prompt_1_weight": "x"}, {"image_1": "x"}, {"mode": "x"}, {"preset": "x"}],
)
def test_the_mixer_names_its_inputs(comfy: Comfy, given: dict[str, Any]) -> None:
    (name,) = given
    with pytest.raises(comfy.errors.ConfigError, match=f"^`{name}` is "):
        comfy.mix(**{"prompt_1": "a cat", **given})


@pytest.mark.parametrize("given", [{"edits": None}, {"prompt": 5}, {"tokens": "x"}, {"avoid": 5}])
def test_the_viewer_names_its_inputs(comfy: Comfy, given: dict[str, Any]) -> None:
    (name,) = given
    with pytest.raises(comfy.errors.ConfigError, match=f"^`{name}` is "):
        comfy.view(**{"prompt": "a cat", **given})


def test_what_is_optional_may_be_none(comfy: Comfy) -> None:
    out = comfy.view(prompt="a cat", avoid=None, tokens=None, image=None, clip=None)
    assert out.result[0] == "a cat"


def test_numbers_of_numpy_are_numbers(comfy: Comfy) -> None:
    plain = comfy.mix(prompt_1="a cat", prompt_1_weight=2.0, tokens=3).result[0]
    assert plain == comfy.mix(
        prompt_1="a cat", prompt_1_weight=np.float32(2), tokens=np.int64(3)
    ).result[0]  # fmt: skip


@pytest.mark.parametrize("name", ["clip", "clip_vision"])
@pytest.mark.parametrize("given", ["x", 5, {}, torch.zeros(1)], ids=repr)
def test_an_object_of_another_kind_is_named(comfy: Comfy, name: str, given: Any) -> None:
    with pytest.raises(comfy.errors.ModelError, match=f"^`{name}` is a "):
        comfy.learn(image_of(example()), **{name: given})
    with pytest.raises(comfy.errors.ModelError, match=f"^`{name}` is a "):
        comfy.view(prompt="a cat", model=DEMO, **{name: given})


@pytest.mark.parametrize("name", ["model", "vocabulary", "preset"])
def test_a_name_of_any_length_gives_a_short_message(comfy: Comfy, name: str) -> None:
    with pytest.raises(comfy.errors.PezError) as raised:
        comfy.learn(image_of(example()), **{name: "x\n" * 5000})
    assert len(str(raised.value)) < 700 and "\n" not in str(raised.value)


def test_parentheses_without_end_are_refused(comfy: Comfy) -> None:
    """ComfyUI's reader would call itself for each of them."""
    deep = "(" * 5000 + "a cat" + ")" * 5000
    for run in (comfy.view, lambda prompt: comfy.mix(prompt_1=prompt)):
        with pytest.raises(comfy.errors.TextError, match="inside each other"):
            run(prompt=deep)
    assert comfy.view(prompt="(" * 20 + "a cat" + ")" * 20).result[0].endswith("a cat" + ")" * 20)
