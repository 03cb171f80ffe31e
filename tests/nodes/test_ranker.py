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
from tests.support.nodes_support import NODE, PROMPT, Comfy, example, image_of

pytest_plugins = ("tests.support.nodes_fixtures",)


def ranked(comfy: Comfy, **changes: Any) -> Any:
    """What the node returns, its inputs as lists as ComfyUI passes them."""
    given = {
        "image": image_of(example()), "model": patched(Model()), "vae": Eye(), "clip": Reader(),
        "prompts": "far 4\nnear 1.1\n\n right 1\n", **changes,
    }  # fmt: skip
    widgets = {"rounds": 4, "seconds": 0.0, "size": 0, "seed": 0, "words": False, "edits": 0}
    values = {**widgets, **given}
    lists = {k: v if k == "candidates" else [v] for k, v in values.items()}
    return comfy.run("PromptRanker", **lists)


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


def likes_red_cats(text: str) -> float:
    return 5.0 - 2.0 * ("red" in text) - 2.0 * ("cat" in text)


def test_the_best_prompt_takes_words_of_the_others(comfy: Comfy) -> None:
    """Weights, embeddings and the other words stay; the model reads what is handed out."""
    reader = Reader(likes_red_cats)
    prompts = "embedding:x a (red:1.2) dog\nthe cat"
    assert ranked(comfy, clip=reader, prompts=prompts).ui["pez"][0]["edited"] is None
    out = ranked(comfy, clip=reader, prompts=prompts, edits=5)
    best, ranking, errors = out.args
    assert {"embedding:x", "(red:1.2)", "cat"} <= {*best.split()} and best in reader.read
    assert ranking[0] in prompts.splitlines() and len(ranking) == len(errors) == 2
    (message,) = json.loads(json.dumps(out.ui["pez"]))
    (edit,) = message["edited"]["edits"]
    assert message["text"] == edit["prompt"] == best and edit["error"] < errors[0]
    assert {"text": " cat", "kind": "new"} in edit["pieces"]
    assert message["edited"]["reason"] == "no better edit"
    assert out.args == ranked(comfy, clip=reader, prompts=prompts, edits=5).args


def test_edits_that_gain_nothing_are_not_taken(comfy: Comfy) -> None:
    out = ranked(comfy, clip=Reader(lambda text: 5.0 - bool(text)), prompts="a\nb", edits=5)
    assert out.args[0] == out.args[1][0]
    assert out.ui["pez"][0]["edited"] == {"edits": [], "reason": "no better edit"}


def test_what_edits_of_a_prompt_keep(comfy: Comfy) -> None:
    """Of every word swapped, added or left out, the neighbours stay as they are typed."""
    borrowed = comfy.module("nodes.run.painter_words").borrowed
    one = torch.Generator().manual_seed(0)
    edited = borrowed("embedding:x, (a \\(big\\) dog:1.3)", ["it, cat"], one)
    assert "embedding:x, (it \\(big\\) dog:1.3)" in edited
    assert "embedding:x, (a \\(big\\) cat:1.3)" in edited
    assert "embedding:x, (a \\(big\\):1.3)" in edited
    assert any("cat (a \\(big\\) dog:1.3)" in text for text in edited)
    assert all(text.startswith("embedding:x,") for text in edited)
    assert not any("it," in text for text in edited)
    assert borrowed("", ["cat"], one) == ["cat"]
    # Nothing is written otherwise: signs, capitals, white space and weights.
    text = "A Man\u2019s \u201cSTOP\u201d &amp; \u0130st  \u732b (Cat:1.23456)"
    assert text.replace("Man\u2019s", "zzz") in borrowed(text, ["zzz"], one)
    assert borrowed("embedding:x", ["embedding:y"], one) == []


def test_the_page_sees_the_edits_going_on(comfy: Comfy, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one view, in which the rounds only grow and the given prompts stay; a user may end it."""
    live = comfy.module("nodes.run.live")
    monkeypatch.setattr(live, "INTERVAL", 0.0)
    given = {"clip": Reader(likes_red_cats), "prompts": "a red dog\nthe cat", "edits": 5}
    ranked(comfy, **given)
    told = [data for _, data, _ in comfy.server.sent if "doing" not in data]
    editing = [data for data in told if data.get("phase") == "edit"]
    steps = [data["step"] for data in told]
    assert len(editing) >= 2 and steps == sorted(steps) and steps[-1] <= editing[0]["total"]
    assert all(len(data["ranking"]) == 2 for data in told)
    send = comfy.server.send_sync

    def stop(event: str, data: dict[str, Any], page: str) -> None:
        send(event, data, page)
        if data.get("phase") == "edit":
            live.finish(NODE, PROMPT)

    comfy.server.send_sync = stop
    edited = ranked(comfy, **given).ui["pez"][0]["edited"]
    assert edited == {"edits": [], "reason": "stopped"}


def test_the_page_sees_it_going_on(comfy: Comfy) -> None:
    ranked(comfy, prompts="a 1\nb 1")
    (_, doing, _), (event, data, page), *_ = comfy.server.sent
    assert doing["doing"] == "paint"
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


def test_learned_prompts_are_read_as_they_are_typed(comfy: Comfy) -> None:
    denoising, reader = comfy.module("nodes.run.denoising"), Reader()
    painter = denoising.GraphPainter(patched(Model()), Eye(), reader)
    errors = denoising.GraphErrors(painter, denoising.sized(image_of(example())), 0)
    denoising.Typed(errors).errors(["", "a (b) 1"], 0)
    assert reader.read == ["", r"a \(b\) 1"]
