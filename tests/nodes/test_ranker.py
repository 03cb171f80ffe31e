"""The Prompt Ranker: prompts in order of the error of the graph's model, with any text encoder."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from pez_core.painter.settings import LEVELS
from tests.support.graph_painter import Eye, Model, Reader, patched
from tests.support.nodes_support import DEMO, NODE, PROMPT, Comfy, example, image_of

pytest_plugins = ("tests.support.nodes_fixtures",)


def ranked(comfy: Comfy, **changes: Any) -> Any:
    """What the node returns, its inputs as lists as ComfyUI passes them."""
    given = {
        "image": image_of(example()), "model": patched(Model()), "vae": Eye(), "clip": Reader(),
        "prompts": "far 4\nnear 1.1\n\n right 1\n", **changes,
    }  # fmt: skip
    lists = {k: v if k == "candidates" else [v] for k, v in given.items()}
    widgets = {"rounds": [4], "seconds": [0.0], "size": [0], "seed": [0], "words": [False]}
    return comfy.run("PromptRanker", **{**widgets, **lists})


def test_the_best_prompt_is_the_one_with_the_smallest_error(comfy: Comfy) -> None:
    reader = Reader()
    out = ranked(comfy, clip=reader)
    best, ranking, errors = out.args
    assert best == "right 1" and ranking == ["right 1", "near 1.1", "far 4"]
    assert errors == sorted(errors) and errors[0] < errors[1] < 0.01 < errors[2] < 1
    assert sorted(reader.read) == ["", "far 4", "near 1.1", "right 1"]  # each once
    (message,) = json.loads(json.dumps(out.ui["pez"]))
    assert message["schema"] == 1 and message["kind"] == "ranking"
    assert [row["prompt"] for row in message["ranking"]] == ranking
    assert message["text"] == best and message["certainty"] == "the first is the best"
    assert message["step"] == 2 and message["total"] == 4 and message["stopped"] == "one left"


def test_candidates_join_the_prompts(comfy: Comfy) -> None:
    out = ranked(comfy, candidates=["other 2", "near 1.1"])
    assert out.args[1] == ["right 1", "near 1.1", "other 2", "far 4"]
    out = ranked(comfy, prompts="", candidates=["two\nlines 2"])
    assert out.args[1] == ["two\nlines 2"]  # as it is painted with


def test_all_prompts_meet_the_same_noise(comfy: Comfy) -> None:
    """The same in every run with a seed, another with another."""

    def seen(seed: int) -> list[Tensor]:
        model = Model()
        ranked(comfy, model=patched(model), prompts="1", rounds=1, seed=seed)
        return model.seen

    first = seen(3)
    none, one = first[:LEVELS], first[LEVELS:]
    assert len(one) == LEVELS and all(a.equal(b) for a, b in zip(none, one, strict=True))
    assert all(a.equal(b) for a, b in zip(first, seen(3), strict=True))
    assert not any(a.equal(b) for a, b in zip(first, seen(2**64 - 1), strict=True))


@pytest.mark.parametrize(
    ("size", "shape"), [(0, (64, 96)), (256, (208, 320)), (16, (16, 16)), (4096, (3344, 5024))]
)
def test_the_picture_keeps_its_shape(comfy: Comfy, size: int, shape: tuple[int, int]) -> None:
    eye = Eye()
    ranked(comfy, vae=eye, image=image_of(example().resize((96, 64))), size=size, rounds=1)
    assert eye.given == [(1, *shape, 3)]


def test_a_large_picture_is_made_smaller(comfy: Comfy) -> None:
    eye = Eye()
    ranked(comfy, vae=eye, image=torch.zeros(2, 3000, 2000, 4), rounds=1)
    assert eye.given == [(1, 1248, 832, 3)]


def test_what_each_word_adds_is_measured_on_demand(comfy: Comfy) -> None:
    """Weights and punctuation included; the front end gets the prompt in pieces."""

    def worth(text: str) -> float:
        return 5.0 - 2.0 * ("red" in text) - 1.0 * ("cat" in text)

    given = {"prompts": "(red:1.2) cat, here", "clip": Reader(worth)}
    (message,) = ranked(comfy, **given).ui["pez"]
    assert message["ranking"][0]["words"] == []
    (message,) = ranked(comfy, **given, words=True).ui["pez"]
    found = {word["text"]: word["adds"] for word in message["ranking"][0]["words"]}
    assert [*found] == ["red", " cat", ",", " here"]
    base = (worth("") - 1) ** 2
    error = (worth("red cat") - 1) ** 2 / base
    assert found["red"] == pytest.approx((worth("cat") - 1) ** 2 / base - error, abs=0.02)
    assert found[" cat"] == pytest.approx((worth("red") - 1) ** 2 / base - error, abs=0.02)
    assert found[","] == found[" here"] == 0.0


def test_the_page_sees_it_going_on(comfy: Comfy) -> None:
    ranked(comfy, prompts="a 1\nb 1")
    (event, data, page) = comfy.server.sent[0]
    assert (event, page) == ("pez.progress", "the page")
    assert (data["node"], data["prompt_id"], data["step"]) == (NODE, PROMPT, 1)
    assert comfy.bar[0] == (1, 4, NODE)


def test_it_ends_where_the_user_wants(comfy: Comfy, monkeypatch: pytest.MonkeyPatch) -> None:
    live = comfy.module("nodes.run.live")
    comfy.server.send_sync = lambda *_: live.finish(NODE, PROMPT)
    out = ranked(comfy, prompts="a 1\nb 1")
    assert out.ui["pez"][0]["stopped"] == "stopped" and out.ui["pez"][0]["step"] == 1
    monkeypatch.setattr(comfy.mm, "interrupt_after", 5)
    with pytest.raises(comfy.mm.InterruptProcessingException):
        ranked(comfy)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prompts": " \n"}, "nothing to rank"),
        ({"prompts": 3}, "a prompt is 3, but must be a text"),
        ({"candidates": [None]}, "a prompt is None, but must be a text"),
        ({"clip": None}, "the CLIP that you paint with is missing"),
        ({"model": None}, "the MODEL that you paint with is missing"),
        ({"vae": None}, "the VAE that you paint with is missing"),
        ({"image": "a"}, "`image` is 'a', but must be an IMAGE"),
        ({"image": torch.zeros(0, 8, 8, 3)}, "`image` is empty"),
        ({"vae": Eye(16)}, "gives latents of 16 channels and 2 dimensions"),
        ({"vae": Eye(value=float("nan"))}, "latent of the picture is not finite"),
    ],
)
def test_what_cannot_be_ranked(comfy: Comfy, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(comfy.errors.PezError, match=message):
        ranked(comfy, **changes)


def test_a_video_model_with_the_vae_of_pictures_is_refused(comfy: Comfy) -> None:
    model = Model()
    model.latent_format = SimpleNamespace(latent_channels=16, latent_dimensions=3)
    message = "of 16 channels and 2 dimensions, but `model` works with 16 and 3"
    with pytest.raises(comfy.errors.ConfigError, match=message):
        ranked(comfy, model=patched(model), vae=Eye(16))


def test_a_model_that_needs_more_than_a_prompt_is_refused(comfy: Comfy) -> None:
    model = Model()
    model.concat_keys = ("mask", "masked_image")
    with pytest.raises(comfy.errors.ConfigError, match="paints into another picture"):
        ranked(comfy, model=patched(model))


def last_initial(text: str) -> float:
    """Small for prompts whose last word begins late in the alphabet."""
    return 1.0 + ord("z") - ord(text.split()[-1][0]) if text else 100.0


def test_the_learner_lets_the_model_choose(comfy: Comfy) -> None:
    """Among the candidates of its search, of which the output is the first."""
    encoder, learning = comfy.module("nodes.models.encoder"), comfy.module("nodes.run.learning")
    denoising, targets = comfy.module("nodes.run.denoising"), comfy.module("pez_core.targets")
    image, config = image_of(example()), comfy.module("pez_core.config").PRESETS["fast"]
    clip, seen = encoder.open_encoder(encoder.ModelRequest(DEMO, None, None), {"image": image})
    goal = targets.make_targets(seen["image"])
    search = learning.Search("{3}", config, 0, "words", "")
    painter = denoising.GraphPainter(patched(Model()), Eye(), Reader(last_initial))
    with torch.inference_mode():
        plain = learning.run_search(NODE, clip, goal, search)
        chosen = learning.run_search(NODE, clip, goal, search, chooser=(painter, image))
    assert sorted(chosen.args[3]) == sorted(plain.args[3]) != plain.args[3][:1]
    initials = [text.split()[-1][0] for text in chosen.args[3]]
    assert initials == sorted(initials, reverse=True) != [t.split()[-1][0] for t in plain.args[3]]
    assert chosen.args[0] == chosen.args[3][0]
    assert chosen.args[1] == chosen.ui["pez"][0]["similarity"] < plain.args[1]
    assert chosen.ui["pez"][0]["note"].startswith("chosen by the model you paint with")


def test_learned_prompts_are_read_as_they_are_typed(comfy: Comfy) -> None:
    denoising, reader = comfy.module("nodes.run.denoising"), Reader()
    painter = denoising.GraphPainter(patched(Model()), Eye(), reader)
    errors = denoising.GraphErrors(painter, denoising.sized(image_of(example())), 0)
    denoising.Typed(errors).errors(["", "a (b) 1"], 0)
    assert reader.read == ["", r"a \(b\) 1"]


@pytest.mark.parametrize("given", [{"painter": patched(Model())}, {"vae": Eye()}])
def test_the_learner_names_what_is_missing(comfy: Comfy, given: dict[str, Any]) -> None:
    with pytest.raises(comfy.errors.ConfigError, match="that you paint with is missing"):
        comfy.learn(image_of(example()), **given)
