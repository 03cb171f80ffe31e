"""Token Viewer: what each token adds and which tokens could replace it, measured by open_clip on
the texts themselves."""

from __future__ import annotations

import json

import pytest

from pez_core import ClipModel, make_targets
from pez_core.applications.attribution import contributions
from tests.support.nodes_support import DEMO, Comfy, edits, example, image_of, viewed
from tests.support.oracle import DemoOracle

pytest_plugins = ("tests.support.nodes_fixtures",)

CLOSE = 2e-4


def test_contributions_are_what_leaving_out_costs(comfy: Comfy, oracle: DemoOracle) -> None:
    """Of the picture's similarity; measured by open_clip on the texts themselves."""
    words = ["green", "striped", "watermelon", "slice", "photo"]
    out = comfy.view(prompt=" ".join(words), model=DEMO, image=image_of(example()))
    shown = viewed(out)
    target = make_targets(oracle.pictures([example()]))
    whole = oracle.similarity(" ".join(words), target)
    assert shown["similarity"] == pytest.approx(whole, abs=CLOSE)
    assert shown["compared_with"] == "the picture" and shown["similarities"] == {}
    for i, word in enumerate(shown["words"]):
        without = oracle.similarity(" ".join(words[:i] + words[i + 1 :]), target)
        (token,) = word["tokens"]
        assert token["contribution"] == pytest.approx(whole - without, abs=CLOSE)
        scores = [other["similarity"] for other in word["alternatives"]]
        assert len(scores) == 5 and scores == sorted(scores, reverse=True)
        for other in word["alternatives"]:
            assert other["text"] != word["text"]
            text = " ".join(words[:i] + [other["text"]] + words[i + 1 :])
            expected = oracle.similarity(text, target)
            assert other["similarity"] == pytest.approx(expected, abs=CLOSE)


def test_the_contributions_of_pieces_of_words(comfy: Comfy, demo: ClipModel) -> None:
    """Each at its own piece."""
    out = comfy.view(prompt="watermelonish red skaterish cat", model=DEMO)
    words = viewed(out)["words"]
    assert [len(word["tokens"]) for word in words] == [4, 1, 3, 1]
    ids = [token["id"] for word in words for token in word["tokens"]]
    itself = make_targets(demo.encode_texts(["watermelonish red skaterish cat"]))
    found = [token["contribution"] for word in words for token in word["tokens"]]
    assert found == pytest.approx(contributions(demo, ids, itself), abs=1e-6)


def test_the_similarity_is_of_the_text_passed_on(comfy: Comfy, oracle: DemoOracle) -> None:
    """The contributions are of the words that are shown."""
    prompt = "a penguin on snow"
    given = {"prompt": prompt, "model": DEMO, "image": image_of(example())}
    before = viewed(comfy.view(**given))
    after = viewed(comfy.view(**given, edits=edits(prompt, replaced={"1": "watermelon"})))
    target = make_targets(oracle.pictures([example()]))
    expected = oracle.similarity("a watermelon on snow", target)
    assert after["similarity"] == pytest.approx(expected, abs=CLOSE)
    assert after["words"][1]["tokens"] == before["words"][1]["tokens"]


def test_without_a_picture_the_prompt_is_compared_with_itself(
    comfy: Comfy, oracle: DemoOracle
) -> None:
    """How much each token adds to what the prompt says; a similarity of 1 says nothing."""
    shown = viewed(comfy.view(prompt="a red cat", model=DEMO))
    assert shown["similarity"] is None and shown["compared_with"] == "the prompt itself"
    itself = make_targets(oracle.texts(["a red cat"]))
    expected = 1 - oracle.similarity("a red", itself)
    contribution = shown["words"][2]["tokens"][0]["contribution"]
    assert contribution == pytest.approx(expected, abs=CLOSE)


def test_a_learned_prompt_brings_its_model_and_targets(comfy: Comfy) -> None:
    """Nothing has to be chosen: its similarity is the one it was learned with."""
    learned = comfy.learn(image_of(example()), template="a (skaterish) of {2}")
    out = comfy.view(tokens=learned.result[2])
    shown = viewed(out)
    assert shown["compared_with"] == "what it was learned for"
    assert shown["similarity"] == pytest.approx(learned.result[1], abs=1e-6)
    assert out.result[0] == learned.result[0]  # escaped
    assert [word["locked"] for word in shown["words"]] == [True] * 5 + [False] * 2
    assert out.result[1] == "a (skaterish) of {2}"
    by_prompt = comfy.view(prompt=learned.result[0], tokens=learned.result[2])
    assert viewed(by_prompt) == shown


def test_edits_of_a_learned_prompt_take_the_templates_place(comfy: Comfy) -> None:
    """Once the user has unlocked a word of the template it stays unlocked."""
    learned = comfy.learn(image_of(example()), template="a photo of {2}")
    tokens = learned.result[2]
    out = comfy.view(tokens=tokens, edits=edits(tokens.text, locked=[0]))
    assert [word["locked"] for word in viewed(out)["words"]] == [True] + [False] * 4
    assert out.result[1] == "a {4}"
    other = comfy.view(tokens=tokens, edits=edits("another text", locked=[4]))
    assert [word["locked"] for word in viewed(other)["words"]] == [True] * 3 + [False] * 2


def test_another_prompt_with_the_tokens(comfy: Comfy) -> None:
    """It is shown, compared with what the tokens were learned for."""
    learned = comfy.learn(image_of(example()), template="a {2}")
    shown = viewed(comfy.view(prompt="a red cat", tokens=learned.result[2]))
    assert shown["source"] == "a red cat" and not any(w["locked"] for w in shown["words"])
    assert shown["compared_with"] == "what it was learned for"


def test_beyond_75_tokens_nothing_is_measured(comfy: Comfy) -> None:
    """But all is shown and passed on."""
    prompt = "word " * 74 + "cat dog bird"
    shown = viewed(comfy.view(prompt=prompt, model=DEMO))
    assert len(shown["words"]) == 77 and shown["chunk"] == 75
    assert shown["counts"] == [{"encoder": "CLIP", "tokens": 77}]
    measured = [word["tokens"][0]["contribution"] is not None for word in shown["words"]]
    assert measured == [True] * 75 + [False] * 2
    assert [bool(word["alternatives"]) for word in shown["words"]] == measured


def test_a_banned_word_is_not_an_alternative(comfy: Comfy) -> None:
    prompt = "silent penguin watermelon"
    shown = viewed(comfy.view(prompt=prompt, model=DEMO))
    offered = shown["words"][0]["alternatives"][0]["text"]
    given = {"schema": 1, "source": prompt, "banned": [offered]}
    again = viewed(comfy.view(prompt=prompt, model=DEMO, edits=json.dumps(given)))
    texts = [a["text"] for word in again["words"] for a in word["alternatives"]]
    assert texts and offered not in texts


def test_the_count_is_that_of_the_text_passed_on(comfy: Comfy) -> None:
    given = {"schema": 1, "source": "a red cat", "banned": ["red"]}
    shown = viewed(comfy.view(prompt="a red cat", edits=json.dumps(given)))
    assert (shown["text"], shown["counts"][0]["tokens"]) == ("a cat", 2)
