"""What a prompt is to keep away from: asked of the nodes that learn, shown by all three."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import torch

from pez_core import ClipModel, Guard, make_guard
from tests.support.nodes_support import DEMO, Comfy, edits, example, image_of, viewed
from tests.support.payloads import assert_learned

pytest_plugins = ("tests.support.nodes_fixtures",)

FRUIT = "watermelon"


@pytest.fixture(scope="module")
def guard(demo: ClipModel) -> Guard:
    return make_guard(demo, [FRUIT])


def searched(comfy: Comfy, **inputs: Any) -> Any:
    """A search long enough to find what the picture shows."""
    return comfy.learn(image_of(example()), tokens=4, steps=20, restarts=4, **inputs)


def test_without_anything_to_avoid_nothing_is_reported(comfy: Comfy) -> None:
    out = comfy.learn(image_of(example()), avoid=" ,\n ")
    assert assert_learned(out.ui)["guard"] == [] and out.result[2].avoid == ()


def test_a_prompt_keeps_away(comfy: Comfy, demo: ClipModel, guard: Guard) -> None:
    """As `pez_core` says of the texts; without it the prompt means the fruit."""
    free = searched(comfy).result[0]
    out = searched(comfy, avoid=FRUIT)
    payload = assert_learned(json.loads(json.dumps(out.ui)))
    before, after, *others = guard.check(demo, [free, *out.result[3]])
    assert before[FRUIT].near and not after[FRUIT].near
    assert not any(found[FRUIT].near for found in others)
    (kept,) = payload["guard"]
    assert (kept["concept"], kept["near"]) == (FRUIT, False)
    assert kept["similarity"] == pytest.approx(after[FRUIT].similarity, abs=1e-4)
    assert kept["threshold"] == pytest.approx(after[FRUIT].threshold, abs=1e-4)
    assert out.result[2].avoid == (FRUIT,)


def test_meanings_are_listed_with_commas_or_lines_each_once(comfy: Comfy) -> None:
    out = comfy.learn(image_of(example()), avoid="a red car, text\n\ntext ,watermark")
    told = [kept["concept"] for kept in assert_learned(out.ui)["guard"]]
    assert told == list(out.result[2].avoid) == ["a red car", "text", "watermark"]


def test_where_nothing_keeps_away_the_node_says_so(
    comfy: Comfy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node still returns the best prompt that there is."""
    encoder = comfy.module("nodes.models.encoder")
    true_guard = encoder.make_guard

    def strictest(*given: Any, **options: Any) -> Any:
        guard = true_guard(*given, **options)
        return replace(guard, thresholds=torch.full_like(guard.thresholds, -1.0))

    monkeypatch.setattr(encoder, "make_guard", strictest)
    out = comfy.learn(image_of(example()), avoid=FRUIT)
    (kept,) = assert_learned(json.loads(json.dumps(out.ui)))["guard"]
    assert kept["near"] and kept["threshold"] == -1.0 and out.result[0]


def test_a_mix_keeps_away(comfy: Comfy) -> None:
    given = {"prompt_1": "a slice of watermelon", "prompt_2": "the blue sea", "tokens": 4}
    out = comfy.mix(**given, avoid=FRUIT)
    (kept,) = assert_learned(out.ui)["guard"]
    assert not kept["near"] and out.result[2].avoid == (FRUIT,)


def test_a_concatenation_says_where_it_is_too_near(comfy: Comfy) -> None:
    """Its words are given; those that say a meaning outright are left out."""
    scene = "a dog in the snow"
    given = {"prompt_1": scene, "mode": "concatenate", "avoid": scene, "tokens": 9}
    (kept,) = assert_learned(comfy.mix(**given).ui)["guard"]
    assert kept["concept"] == scene and kept["near"]
    assert comfy.mix(**{**given, "avoid": "dog"}).result[0] == "a in the snow"
    (kept,) = assert_learned(comfy.mix(**{**given, "avoid": FRUIT}).ui)["guard"]
    assert not kept["near"]


def test_the_viewer_checks_any_prompt(comfy: Comfy, demo: ClipModel, guard: Guard) -> None:
    """It states what each word adds, measured on the texts without it."""
    words = ["a", "green", "watermelon", "slice"]
    shown = viewed(comfy.view(prompt=" ".join(words), model=DEMO, avoid=f"{FRUIT}, a horse"))
    fruit, horse = shown["guard"]
    whole, *without = guard.check(
        demo, [" ".join(words[:i] + words[i + 1 :]) for i in (9, *range(len(words)))]
    )
    assert fruit["near"] and not horse["near"]
    assert fruit["similarity"] == pytest.approx(whole[FRUIT].similarity, abs=1e-4)
    pulls = [word["pulls"] for word in shown["words"]]
    assert len(pulls) == len(without)
    for pull, found in zip(pulls, without, strict=True):
        assert pull.keys() == {FRUIT}
        expected = whole[FRUIT].similarity - found[FRUIT].similarity
        assert pull[FRUIT] == pytest.approx(expected, abs=1e-4)
    assert max(pulls, key=lambda pull: pull[FRUIT]) is pulls[2]


def test_what_counts_is_the_text_passed_on(comfy: Comfy) -> None:
    """With the word replaced it is clear; and a word that was put there is the one at fault."""
    given = {"prompt": "a watermelon", "model": DEMO, "avoid": FRUIT}
    assert viewed(comfy.view(**given))["guard"][0]["near"]
    shown = viewed(comfy.view(**given, edits=edits("a watermelon", replaced={"1": "horse"})))
    assert not shown["guard"][0]["near"] and not any(word["pulls"] for word in shown["words"])
    changes = {"replaced": {"2": "watermelon"}, "banned": ["slice"]}
    scene = "a green horse slice"
    shown = viewed(comfy.view(**{**given, "prompt": scene}, edits=edits(scene, **changes)))
    assert shown["text"] == "a green watermelon" and shown["guard"][0]["near"]
    pulls = [word["pulls"].get(FRUIT) for word in shown["words"]]
    assert pulls[3] is None and max(pulls[:3]) == pulls[2] > 0.2


def test_what_was_learned_brings_what_it_keeps_from(comfy: Comfy) -> None:
    """Nothing has to be said again; more can be."""
    learned = comfy.learn(image_of(example()), avoid=FRUIT)
    shown = viewed(comfy.view(tokens=learned.result[2]))
    (here,), (there,) = shown["guard"], learned.ui["pez"][0]["guard"]
    assert here == {**there, "similarity": pytest.approx(there["similarity"], abs=1e-5)}
    more = viewed(comfy.view(tokens=learned.result[2], avoid=f"a horse, {FRUIT}"))
    assert [kept["concept"] for kept in more["guard"]] == ["a horse", FRUIT]


def test_without_a_model_nothing_can_be_checked(comfy: Comfy) -> None:
    with pytest.raises(comfy.errors.TargetError, match="check the prompt against `avoid`, choose"):
        comfy.view(prompt="a cat", avoid=FRUIT)
    assert viewed(comfy.view(prompt="a cat", avoid=" , "))["guard"] == []


def test_beyond_the_first_75_tokens_it_counts_as_well(comfy: Comfy) -> None:
    """They are painted."""
    shown = viewed(comfy.view(prompt="castle " * 76 + "watermelon", model=DEMO, avoid=FRUIT))
    assert shown["guard"][0]["near"]
    pulls = [word["pulls"][FRUIT] for word in shown["words"]]
    assert len(pulls) == 77 and max(pulls) == pulls[-1]


def test_neutral_prompts_are_read_once_and_can_be_cancelled(
    comfy: Comfy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are two thousand, and an encoder may be large."""
    encoder = comfy.module("nodes.models.encoder")
    true_calibrate, ran = encoder.calibrate, []

    def calibrate(*given: Any, **options: Any) -> Any:
        ran.append("begun")
        calibration = true_calibrate(*given, **options)
        ran.append("done")
        return calibration

    monkeypatch.setattr(encoder, "calibrate", calibrate)
    comfy.mm.interrupt_after = 9
    with pytest.raises(comfy.mm.InterruptProcessingException):
        comfy.view(prompt="a cat", model=DEMO, avoid=FRUIT)
    assert ran == ["begun"]
    comfy.view(prompt="a cat", model=DEMO, avoid=FRUIT)
    comfy.view(prompt="a cat", model=DEMO, avoid="a horse")
    comfy.learn(image_of(example()), avoid="a horse")
    assert ran == ["begun", "begun", "done"]


def test_a_word_that_says_it_is_reported_whatever_the_whole_means(comfy: Comfy) -> None:
    """The words of a template are the user's."""
    out = comfy.learn(image_of(example()), template="a watermelon golfing {1}", avoid=FRUIT)
    (kept,) = assert_learned(out.ui)["guard"]
    assert kept["says"] == [FRUIT] and not kept["near"]


def test_what_the_model_does_not_know_is_reported(comfy: Comfy) -> None:
    shown = viewed(comfy.view(prompt="a castle", model=DEMO, avoid="nude, a dog"))
    assert [kept["known"] for kept in shown["guard"]] == [False, True]
    assert not any(kept["near"] for kept in shown["guard"])
