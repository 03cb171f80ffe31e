"""Prompt Mixer: a new prompt from many, or their own words within a budget."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from pez_core import make_targets
from pez_core.text.vocabulary import Vocabulary
from tests.support.nodes_support import Comfy, example, image_of
from tests.support.oracle import DemoOracle
from tests.support.payloads import assert_learned

pytest_plugins = ("tests.support.nodes_fixtures",)

CLOSE = 2e-4
LONG = "a photo of a big red fire truck on a long road, with a happy driver and a spotted dog"


def pieces(text: str, vocabulary: Vocabulary) -> list[str]:
    return [token.text for token in vocabulary.tokens(vocabulary.encode(text))]


def is_subsequence(some: list[str], of: list[str]) -> bool:
    rest = iter(of)
    return all(word in rest for word in some)


@pytest.mark.parametrize("mode", ["learn", "concatenate"])
def test_the_outputs_are_what_they_say(comfy: Comfy, oracle: DemoOracle, mode: str) -> None:
    """The similarity is that of the text with the weighted blend of what is connected."""
    out = comfy.mix(
        mode=mode, prompt_2="a red cat", prompt_7="the blue sea", prompt_7_weight=0.25,
        image_4=image_of(example()), image_4_weight=-0.5,
    )  # fmt: skip
    prompt, similarity, tokens, candidates = out.result
    payload = assert_learned(json.loads(json.dumps(out.ui)))
    texts, pictures = oracle.texts(["a red cat", "the blue sea"]), oracle.pictures([example()])
    blend = make_targets(torch.cat([pictures, texts]), [-0.5, 1.0, 0.25])
    assert similarity == pytest.approx(oracle.similarity(prompt, blend), abs=CLOSE)
    assert payload["similarity"] == similarity and payload["text"] == tokens.text == prompt
    assert candidates[0] == prompt and type(candidates) is list
    assert [token["text"] for token in payload["tokens"]] == prompt.split()
    assert not any(token["fixed"] for token in payload["tokens"])


@pytest.mark.parametrize("mode", ["learn", "concatenate"])
@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"prompt_1": ""},
        {"prompt_1": " \n"},
        {"prompt_1": "()", "prompt_2": "&nbsp;"},
        {"prompt_1": "a cat", "prompt_1_weight": 0.0},
        {"image_1": "picture", "image_1_weight": 0.0},
        {"prompt_2_weight": 3.0},
        {"prompt_1": None, "image_2": None},
    ],
)
def test_nothing_to_mix(comfy: Comfy, mode: str, inputs: dict[str, Any]) -> None:
    if inputs.get("image_1"):
        inputs = {**inputs, "image_1": image_of(example())}
    with pytest.raises(comfy.errors.TargetError, match="nothing to mix: type or.*is not 0"):
        comfy.mix(mode=mode, **inputs)


@pytest.mark.parametrize(
    "inputs",
    [
        {"prompt_1": "a cat", "prompt_1_weight": -1.0},
        {"image_1": "picture"},
        {"image_1": "picture", "prompt_3": "a cat", "prompt_3_weight": -0.05},
    ],
)
def test_nothing_to_concatenate(comfy: Comfy, inputs: dict[str, Any]) -> None:
    """Words to keep away from are not kept, and a picture has none."""
    if "image_1" in inputs:
        inputs = {**inputs, "image_1": image_of(example())}
    with pytest.raises(comfy.errors.TargetError, match="positive weight, or choose the mode learn"):
        comfy.mix(mode="concatenate", **inputs)


def test_the_weights_change_the_result(comfy: Comfy, oracle: DemoOracle) -> None:
    """What weighs more is come nearer to."""
    given = {"prompt_1": "a watermelon", "prompt_2": "a penguin", "tokens": 4}
    melon, penguin = (make_targets(oracle.texts([text])) for text in ("a watermelon", "a penguin"))
    to_melon = comfy.mix(**given, prompt_2_weight=0.1).result[0]
    to_penguin = comfy.mix(**given, prompt_1_weight=0.1).result[0]
    assert oracle.similarity(to_melon, melon) > oracle.similarity(to_penguin, melon) + 0.05
    assert oracle.similarity(to_penguin, penguin) > oracle.similarity(to_melon, penguin) + 0.05


def test_a_negative_weight_keeps_away(comfy: Comfy, oracle: DemoOracle) -> None:
    given = {"prompt_1": "a red fruit", "prompt_2": "a watermelon", "tokens": 4}
    away = make_targets(oracle.texts(["a watermelon"]))
    near = comfy.mix(**given, prompt_2_weight=0.0).result[0]
    far = comfy.mix(**given, prompt_2_weight=-1.0).result[0]
    assert oracle.similarity(far, away) < oracle.similarity(near, away) - 0.05


def test_a_negative_weight_alone_gives_a_prompt_far_from_the_picture(
    comfy: Comfy, oracle: DemoOracle
) -> None:
    """For the negative prompt of a generator; the similarity is minus the cosine."""
    out = comfy.mix(image_1=image_of(example()), image_1_weight=-1.0)
    cosine = oracle.similarity(out.result[0], make_targets(oracle.pictures([example()])))
    assert out.result[1] == pytest.approx(-cosine, abs=CLOSE) and cosine < -0.15


def test_a_weight_of_nothing_changes_nothing(comfy: Comfy) -> None:
    """Neither what is not connected nor what weighs nothing is looked at."""
    plain = comfy.mix(prompt_1="a red cat").result[:2]
    bad = torch.full((1, 9, 9, 3), torch.nan)
    more = {"image_1": bad, "image_1_weight": 0.0, "prompt_5_weight": 4.0}
    assert comfy.mix(prompt_1="a red cat", **more).result[:2] == plain


def test_a_batch_shares_its_weight(comfy: Comfy) -> None:
    """Four pictures of one input count as much as one."""
    out = comfy.mix(prompt_1="a cat", image_1=image_of(*[example()] * 4), image_1_weight=0.5)
    weights = out.result[2].targets.weights.tolist()
    assert weights == [0.125] * 4 + [1.0]


@pytest.mark.parametrize("mode", ["learn", "concatenate"])
def test_texts_alone_need_no_image_tower(
    comfy: Comfy, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    def load(*args: Any) -> None:
        raise AssertionError("the image tower is loaded")

    monkeypatch.setattr(comfy.module("nodes.models.vision"), "load_image_tower", load)
    assert comfy.mix(mode=mode, prompt_1="a red cat", prompt_2="the sea").result[0]
    with pytest.raises(AssertionError, match="the image tower is loaded"):
        comfy.mix(mode=mode, prompt_1="a red cat", image_1=image_of(example()))


def test_the_escapes_and_weights_of_a_prompt_are_read(comfy: Comfy) -> None:
    r"""A prompt comes from another node: `(red:1.3) \(cat\)` says "red (cat)"."""
    out = comfy.mix(mode="concatenate", prompt_1=r"(red:1.3) \(cat\)", tokens=75)
    assert out.ui["text"] == ["red (cat)"] and out.result[0] == r"red \(cat\)"
    assert out.result[1] == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("tokens", [1, 4, 9, 75])
def test_concatenating_keeps_words_within_the_budget(
    comfy: Comfy, vocabulary: Vocabulary, tokens: int
) -> None:
    """A subsequence of the prompts' own words, in the order of the inputs; all that fit."""
    given = {"prompt_1": LONG, "prompt_3": "watermelon slices"}
    out = comfy.mix(mode="concatenate", tokens=tokens, **given)
    found, whole = pieces(out.result[0], vocabulary), pieces(", ".join(given.values()), vocabulary)
    assert 0 < len(found) <= tokens and is_subsequence(found, whole)
    assert len(found) == len(out.ui["pez"][0]["tokens"])
    assert (found == whole) is (tokens == 75)
    assert not out.result[0].startswith((",", " ")) and not out.result[0].endswith((",", " "))


def test_concatenating_keeps_what_says_most(comfy: Comfy) -> None:
    """Of two words the one that the picture shows."""
    given = {"prompt_1": "penguin", "prompt_2": "watermelon", "tokens": 1, "mode": "concatenate"}
    for name in ("penguin", "watermelon"):
        out = comfy.mix(**given, image_1=image_of(example(name)), image_1_weight=10.0)
        assert out.result[0] == name


def test_a_longer_text_than_clip_reads_is_shortened(comfy: Comfy, vocabulary: Vocabulary) -> None:
    """Two prompts of 80 tokens."""
    given = {f"prompt_{n}": "a watermelon, " + "the sea " * 39 for n in (1, 2)}
    out = comfy.mix(mode="concatenate", tokens=6, **given)
    found = pieces(out.result[0], vocabulary)
    assert 0 < len(found) <= 6
    assert is_subsequence(found, pieces(", ".join(given.values()), vocabulary))


def test_a_longer_prompt_is_read_in_parts_that_share_its_weight(
    comfy: Comfy, oracle: DemoOracle
) -> None:
    """The words after the 75 tokens that CLIP reads count as well."""
    halves = ["a watermelon " * 37 + "fruit", "a penguin " * 30 + "bird"]
    out = comfy.mix(prompt_1=" ".join(halves), prompt_1_weight=0.5, tokens=4)
    shares = [75 / 136, 61 / 136]
    goal = make_targets(oracle.texts(halves), shares)
    assert out.result[1] == pytest.approx(oracle.similarity(out.result[0], goal), abs=CLOSE)
    travels = out.result[2].targets
    assert travels.weights.tolist() == pytest.approx([share / 2 for share in shares])
    assert not travels.weights.is_inference() and not travels.features.is_inference()


@pytest.mark.parametrize("mode", ["learn", "concatenate"])
def test_banned_words_are_not_kept(comfy: Comfy, mode: str) -> None:
    """With the star for any ending."""
    out = comfy.mix(
        mode=mode, tokens=5, prompt_1="Red cats, red catfish and a cat", ban="cat*\nred"
    )
    for text in (out.result[0], *out.result[3]):
        words = set(text.lower().split())
        assert words and not {w for w in words if w.startswith("cat") or w == "red"}


def test_everything_banned(comfy: Comfy) -> None:
    with pytest.raises(comfy.errors.ConfigError, match="nothing to join"):
        comfy.mix(mode="concatenate", prompt_1="red cat", ban="red, cat")


def test_the_seed_decides(comfy: Comfy) -> None:
    first, again, other = (
        comfy.mix(prompt_1="a red cat", prompt_2="the sea", seed=s).result[0] for s in (1, 1, 2)
    )
    assert first == again != other


def test_concatenating_needs_no_seed(comfy: Comfy) -> None:
    results = {
        comfy.mix(mode="concatenate", tokens=4, prompt_1=LONG, seed=s).result[0] for s in (1, 2)
    }
    assert len(results) == 1
