"""An embedding in a prompt that is passed on: kept to the letter, and not measured."""

from __future__ import annotations

import pytest

from tests.support.nodes_support import DEMO, Comfy, edits, example, image_of, viewed
from tests.support.payloads import assert_learned

pytest_plugins = ("tests.support.nodes_fixtures",)

PROMPT = "embedding:EasyNegative, a red cat"


def test_an_edited_viewer_keeps_it(comfy: Comfy) -> None:
    out = comfy.view(prompt=PROMPT, edits=edits(PROMPT, banned=["cat"], locked=[0, 3]))
    assert out.result[0] == "embedding:EasyNegative, a red"
    shown = viewed(out)
    assert (shown["words"][0]["text"], shown["words"][0]["tokens"]) == (
        "embedding:EasyNegative", [],
    )  # fmt: skip
    assert shown["counts"] == [{"encoder": "CLIP", "tokens": 3}]
    assert shown["exact"] and out.result[1] == "{2} red {1}"
    weighted = "(embedding:x:1.2), a cat"
    out = comfy.view(prompt=weighted, edits=edits("embedding:x, a cat", replaced={"3": "dog"}))
    assert out.result[0] == "(embedding:x:1.2), a dog"
    gone = comfy.view(prompt=PROMPT, edits=edits(PROMPT, banned=["embedding:easynegative"]))
    assert gone.result[0] == ", a red cat"


def test_the_viewer_measures_without_it(comfy: Comfy) -> None:
    given = {"model": DEMO, "image": image_of(example()), "avoid": "watermelon"}
    with_it = viewed(comfy.view(prompt="a slice, embedding:x of watermelon", **given))
    without = viewed(comfy.view(prompt="a slice, of watermelon", **given))
    assert with_it["similarity"] == pytest.approx(without["similarity"], abs=1e-6)
    read = [word for word in with_it["words"] if word["tokens"]]
    assert [word["tokens"] for word in read] == [word["tokens"] for word in without["words"]]
    assert [w["alternatives"] for w in read] == [w["alternatives"] for w in without["words"]]
    assert with_it["guard"] == without["guard"] and with_it["guard"][0]["near"]
    (name,) = [word for word in with_it["words"] if not word["tokens"]]
    assert name["alternatives"] == [] and name["pulls"] == {}
    alone = viewed(comfy.view(prompt="embedding:x", **given))
    assert alone["similarity"] is None and alone["words"][0]["text"] == "embedding:x"


def test_concatenating_passes_it_on(comfy: Comfy) -> None:
    out = comfy.mix(
        mode="concatenate", tokens=2, prompt_1=PROMPT, prompt_2="(embedding:y:1.3)",
        prompt_3="embedding:z dog", prompt_3_weight=-1.0,
    )  # fmt: skip
    plain = comfy.mix(
        mode="concatenate", tokens=2, prompt_1=", a red cat", prompt_3="dog", prompt_3_weight=-1.0
    )
    added = ", embedding:EasyNegative, (embedding:y:1.3)"
    assert out.result[0] == out.result[3][0] == plain.result[0] + added
    assert out.result[1] == pytest.approx(plain.result[1], abs=1e-6)
    payload = assert_learned(out.ui)
    assert payload["passed_on"] == added and "embedding" not in payload["text"]
    assert "not measured: embedding:EasyNegative, (embedding:y:1.3)" in payload["note"]
    assert comfy.view(tokens=out.result[2]).result[0] == out.result[0]


def test_learning_says_that_it_leaves_it_out(comfy: Comfy) -> None:
    out = comfy.mix(prompt_1=PROMPT)
    assert out.result[:2] == comfy.mix(prompt_1=", a red cat").result[:2]
    assert "left out: embedding:EasyNegative" in assert_learned(out.ui)["note"]
    assert "embedding" not in out.result[0]
    with pytest.raises(comfy.errors.TargetError, match="nothing to mix.*has no words to learn"):
        comfy.mix(prompt_1="embedding:x")


def test_a_template_cannot_hold_it(comfy: Comfy) -> None:
    with pytest.raises(comfy.errors.TemplateError, match="contains 'embedding:x,'.*remove it"):
        comfy.learn(image_of(example()), template="embedding:x, a {3}")
