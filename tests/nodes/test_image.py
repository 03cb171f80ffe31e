"""Image→Hard Prompt: what it gives for what it is asked, measured by open_clip itself."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import torch

from pez_core import PRESETS, Targets, make_targets
from pez_core.clip.model_names import find_model
from pez_core.text.vocabulary import Vocabulary
from tests.support.nodes_support import DEMO, Comfy, example, image_of
from tests.support.oracle import DemoOracle
from tests.support.payloads import assert_learned

pytest_plugins = ("tests.support.nodes_fixtures",)

CLOSE = 2e-4  # of two libraries' similarities


def of(oracle: DemoOracle, *names: str, weights: list[float] | None = None) -> Targets:
    """The example pictures as open_clip sees them."""
    return make_targets(oracle.pictures([example(name) for name in names]), weights)


def test_the_outputs_are_what_they_say(comfy: Comfy, oracle: DemoOracle) -> None:
    """The similarity is that of the returned text. The message is JSON as the front end reads
    it."""
    out = comfy.learn(image_of(example()))
    prompt, similarity, tokens, candidates = out.result
    payload = assert_learned(json.loads(json.dumps(out.ui)))
    target = of(oracle, "watermelon")
    assert similarity == pytest.approx(oracle.similarity(prompt, target), abs=CLOSE)
    assert type(prompt) is str and type(similarity) is float
    assert tokens.text == payload["text"] == prompt
    assert payload["similarity"] == similarity
    assert [token["text"] for token in payload["tokens"]] == prompt.split()
    assert candidates == [found["text"] for found in payload["candidates"]]
    assert candidates[0] == prompt and len(set(candidates)) == len(candidates) > 1
    for found in payload["candidates"]:
        expected = oracle.similarity(found["text"], target)
        assert found["similarity"] == pytest.approx(expected, abs=CLOSE)
    assert (payload["model"], payload["note"], payload["stopped"]) == (DEMO, "", "steps")


def test_what_travels_to_the_viewer_is_not_part_of_the_model(comfy: Comfy) -> None:
    """Plain values and the targets, as normal tensors: the graph keeps them after the run."""
    tokens = comfy.learn(image_of(example()), template="a {2}").result[2]
    assert tokens.fixed == {0} and tokens.encoder.request.label == "demo (clip-art only)"
    assert (
        tokens.targets.features.shape == (1, 192) and tokens.targets.features.device.type == "cpu"
    )
    assert not tokens.targets.features.is_inference()


def test_the_prompt_is_escaped(comfy: Comfy) -> None:
    """ComfyUI reads the text that was scored, with no weight: in the prompt and every
    candidate."""
    out = comfy.learn(image_of(example()), template="(a) {2} (b:1.5)")
    text = out.ui["text"][0]
    assert out.result[0] == text.replace("(", r"\(").replace(")", r"\)")
    read = comfy.module("nodes.run.prompt_text").read
    texts = [found["text"] for found in out.ui["pez"][0]["candidates"]]
    for escaped, plain in zip(out.result[3], texts, strict=True):
        back, weights = read(escaped)
        assert back == plain and set(weights) == {1.0}


def test_the_seed_decides(comfy: Comfy) -> None:
    first, again, other = (comfy.learn(image_of(example()), seed=s) for s in (7, 7, 8))
    assert first.result[:2] == again.result[:2] and first.result[3] == again.result[3]
    assert other.result[0] != first.result[0]
    comfy.learn(image_of(example()), seed=2**64 - 1)  # the widget's last


def test_the_words_of_a_template_stand(comfy: Comfy, vocabulary: Vocabulary) -> None:
    out = comfy.learn(image_of(example()), tokens=9, template=" a photo of {2}, by {1} ")
    payload = out.ui["pez"][0]
    fixed = [token["text"] for token in payload["tokens"] if token["fixed"]]
    assert fixed == ["a", "photo", "of", ",", "by"]
    assert len(payload["tokens"]) == 8 and payload["text"].startswith("a photo of ")
    assert vocabulary.encode(payload["text"]) == [token["id"] for token in payload["tokens"]]


def test_a_text_that_comes_back_in_other_tokens_has_no_fixed_ones(
    comfy: Comfy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it may with the vocabulary `all`: their places are not known then."""
    learning = comfy.module("nodes.run.learning")
    true_search = learning.learn_prompt

    def shorter(*args: Any, **options: Any) -> Any:
        learned = true_search(*args, **options)
        first = replace(learned.best, ids=learned.best.ids[:-1])
        return replace(learned, candidates=(first, *learned.candidates[1:]))

    monkeypatch.setattr(learning, "learn_prompt", shorter)
    out = comfy.learn(image_of(example()), template="a photo of {2}", vocabulary="all")
    assert not any(token["fixed"] for token in out.ui["pez"][0]["tokens"])
    assert out.result[2].fixed == frozenset()


def test_an_empty_template_is_as_many_tokens_as_asked(comfy: Comfy) -> None:
    for tokens in (1, 6):
        out = comfy.learn(image_of(example()), tokens=tokens, template="  ")
        learned = out.ui["pez"][0]["tokens"]
        assert len(learned) == tokens and not any(token["fixed"] for token in learned)


def test_texts_are_targets_as_well(comfy: Comfy, oracle: DemoOracle) -> None:
    """Lines that are empty are none."""
    out = comfy.learn(image_of(example()), text_targets="a red car\n\n  the sea \n")
    texts = oracle.texts(["a red car", "the sea"])
    pictures = oracle.pictures([example()])
    expected = oracle.similarity(out.result[0], make_targets(torch.cat([pictures, texts])))
    assert out.result[1] == pytest.approx(expected, abs=CLOSE)
    assert out.result[1] > oracle.similarity("ting", make_targets(torch.cat([pictures, texts])))


def test_a_batch_is_one_prompt_for_all(comfy: Comfy, oracle: DemoOracle) -> None:
    out = comfy.learn(image_of(example("watermelon"), example("penguin")))
    expected = oracle.similarity(out.result[0], of(oracle, "watermelon", "penguin"))
    assert out.result[1] == pytest.approx(expected, abs=CLOSE)


def test_a_negative_picture_is_kept_away_from(comfy: Comfy, oracle: DemoOracle) -> None:
    """The prompt's similarity with it is lower than without; the number is of both."""
    near, away = image_of(example("watermelon")), image_of(example("strawberry"))
    settings = {"tokens": 5, "steps": 30, "restarts": 4, "vocabulary": "words"}
    without = comfy.learn(near, **settings)
    out = comfy.learn(near, negative_image=away, **settings)
    strawberry = of(oracle, "strawberry")
    before, after = (oracle.similarity(o.result[0], strawberry) for o in (without, out))
    assert after < before - 0.05
    both = of(oracle, "watermelon", "strawberry", weights=[1.0, -1.0])
    assert out.result[1] == pytest.approx(oracle.similarity(out.result[0], both), abs=CLOSE)


def test_a_banned_word_is_not_learned(comfy: Comfy) -> None:
    """In no candidate, whatever the case it is written in."""
    settings = {"vocabulary": "words", "steps": 20, "restarts": 4}
    free = comfy.learn(image_of(example()), **settings).result[3]
    used = sorted({word for text in free for word in text.split()})
    banned = comfy.learn(image_of(example()), ban=", ".join(used).upper() + ", ,", **settings)
    assert "watermelon" in used
    assert not {word for text in banned.result[3] for word in text.split()} & set(used)


def test_the_vocabulary_is_the_one_asked_for(comfy: Comfy) -> None:
    words = find_model("demo").words
    assert words
    out = comfy.learn(image_of(example()), vocabulary="words", tokens=6)
    assert set(out.result[0].split()) <= words


SETTINGS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"steps": 7}, {"steps": 7}),
    ({"restarts": 3}, {"restarts": 3}),
    ({"learning_rate": 0.2}, {"lr": 0.2}),
    ({"weight_decay": 0.0}, {"weight_decay": 0.0}),
    ({"weight_decay": 0.3}, {"weight_decay": 0.3}),
    ({"seconds": 60.0}, {"seconds": 60.0}),
]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(("widgets", "changes"), SETTINGS)
def test_the_settings_reach_the_search(
    comfy: Comfy, monkeypatch: pytest.MonkeyPatch, preset: str, widgets: Any, changes: Any
) -> None:
    """The preset's, but for what is set; 0, and -1 for the decay, leave the preset's."""
    learning, seen = comfy.module("nodes.run.learning"), {}
    true_search = learning.learn_prompt

    def short(*args: Any, config: Any, **options: Any) -> Any:
        seen.update(config.to_json())
        quick = config.replace(steps=1, rounds=1, restarts=1, refine=0, seconds=None)
        return true_search(*args, config=quick, **options)

    monkeypatch.setattr(learning, "learn_prompt", short)
    comfy.run(
        "ImageToHardPrompt", image=image_of(example()), model="demo (clip-art only)", preset=preset,
        **widgets,
    )  # fmt: skip
    assert seen == {**PRESETS[preset].to_json(), **changes}


@pytest.mark.usefixtures("clock")
def test_the_time_is_a_limit(comfy: Comfy) -> None:
    out = comfy.learn(image_of(example()), preset="paper", steps=100_000, seconds=0.05)
    payload = assert_learned(out.ui)
    assert payload["stopped"] == "seconds" and payload["steps"] < 100_000


@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        ({"template": "no slot"}, "TemplateError", r"has no slot: write \{8\}"),
        ({"template": "{0}"}, "TemplateError", "empty"),
        ({"template": "{8"}, "TemplateError", "stray"),
        ({"template": "word " * 70 + "{8}"}, "TemplateError", "CLIP reads 75; shorten"),
        ({"ban": "red car"}, "VocabularyError", "single words"),
        ({"ban": "a*, *"}, "VocabularyError", "cannot ban"),
        ({"learning_rate": 9.0, "weight_decay": 1.0}, "ConfigError", "lower one of them"),
        ({"model": "text_encoders/gone.safetensors"}, "ModelError", "press R"),
    ],
)
def test_a_mistake_is_explained(comfy: Comfy, inputs: Any, error: str, message: str) -> None:
    with pytest.raises(getattr(comfy.errors, error), match=message):
        comfy.learn(image_of(example()), **inputs)


def test_the_missing_package_is_named(comfy: Comfy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that ComfyUI does not bring, by all three nodes."""
    find = comfy.module("nodes.models.encoder").importlib.util
    monkeypatch.setattr(find, "find_spec", lambda name: None)
    for run in (
        lambda: comfy.learn(image_of(example())),
        lambda: comfy.mix(prompt_1="a cat"),
        lambda: comfy.view(prompt="a cat"),
    ):
        with pytest.raises(comfy.errors.ModelError, match=r"open_clip_torch.*pip install"):
            run()
