"""The nodes that learn, through the API without a browser."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from PIL import Image

from pez_core import ClipModel
from tests.comfyui.client import BINARY, Client, Prompt, connected
from tests.comfyui.graphs import DEMO, LEARN, learn, mix, node, picture, text
from tests.comfyui.server import Server
from tests.support.payloads import assert_learned, assert_progress

pytestmark = pytest.mark.comfyui

GOING_ON: dict[str, Any] = {"preset": "paper", "steps": 100_000}  # until somebody stops it


def noise_and_learner(**changes: Any) -> Prompt:
    return {"picture": picture(), "learner": learn(["picture", 0], **changes)}


@pytest.fixture
def loaded(client: Client, png: bytes) -> dict[str, Any]:
    """A LoadImage of the uploaded picture."""
    return node("LoadImage", image=client.upload("pez-test.png", png))


def test_a_picture_gives_a_prompt(
    client: Client, loaded: dict[str, Any], png: bytes, demo: ClipModel
) -> None:
    """The payload, the outputs as the next node gets them, and a similarity that is true."""
    graph = {
        "picture": loaded,
        "learner": learn(["picture", 0], vocabulary="words"),
        "values": node("Other_Values", text=["learner", 0], similarity=["learner", 1]),
    }
    run = client.run(graph)
    assert run.succeeded, run.ending
    payload = assert_learned(run.output("learner"))
    values = run.output("values")["report"][0]
    assert len(payload["tokens"]) == 4 and not any(t["fixed"] for t in payload["tokens"])
    assert run.output("learner")["text"] == [payload["text"]]
    assert values["text"] == payload["text"]  # words need no escape
    assert values["similarity"] == pytest.approx(payload["similarity"], abs=1e-6)
    features = demo.encode_pictures([Image.open(io.BytesIO(png)).convert("RGB")])
    similarity = (demo.encode_texts([payload["text"]]) @ features.T).item()
    assert payload["similarity"] == pytest.approx(similarity, abs=2e-4)


def test_the_defaults_of_the_widgets_run(client: Client) -> None:
    """As a node freshly put into a graph. Every input says what it is for."""
    inputs = client.get("/object_info")[LEARN]["input"]
    for name, (_, *options) in {**inputs["required"], **inputs["optional"]}.items():
        assert options and options[0].get("tooltip"), name
    defaults = {
        name: options[0]["default"]
        for name, (_, *options) in inputs["required"].items()
        if name != "image"
    }
    learner = node(LEARN, **{**defaults, "image": ["picture", 0], "model": DEMO})
    run = client.run({"picture": picture(), "learner": learner})
    assert run.succeeded, run.ending
    assert len(assert_learned(run.output("learner"))["tokens"]) == defaults["tokens"] == 8


def test_a_batch_is_several_targets_of_one_prompt(client: Client) -> None:
    graph = {"picture": picture("batch"), "learner": learn(["picture", 0])}
    run = client.run(graph)
    assert run.succeeded, run.ending
    assert_learned(run.output("learner"))


def test_the_words_of_a_template_stay(client: Client) -> None:
    run = client.run(noise_and_learner(template="a photo of {2}, by {1}"))
    payload = assert_learned(run.output("learner"))
    fixed = [token["text"] for token in payload["tokens"] if token["fixed"]]
    assert fixed == ["a", "photo", "of", ",", "by"] and payload["text"].startswith("a photo of ")
    assert len(payload["tokens"]) == 8


def test_banned_words_and_further_targets_count(client: Client) -> None:
    graph = {
        "picture": picture(),
        "away": picture(seed=3),
        "plain": learn(["picture", 0], vocabulary="words"),
        "texts": learn(["picture", 0], vocabulary="words", text_targets="a red cat\n\na blue sea"),
        "against": learn(["picture", 0], vocabulary="words", negative_image=["away", 0]),
    }
    run = client.run(graph)
    assert run.succeeded, run.ending
    payloads = [assert_learned(run.output(name)) for name in ("plain", "texts", "against")]
    assert len({payload["similarity"] for payload in payloads}) == 3
    words = payloads[0]["text"].split()
    graph = {"picture": picture(), "plain": learn(["picture", 0], ban=", ".join(words))}
    banned = assert_learned(client.run(graph).output("plain"))
    assert not set(words) & set(banned["text"].split())


def test_the_same_seed_gives_the_same_prompt(client: Client) -> None:
    """Computed anew: with the same inputs ComfyUI would serve the second from the cache."""
    graph = {
        "picture": picture(),
        "one": learn(["picture", 0], seed=61),
        "two": learn(["picture", 0], seed=61, seconds=1000.0),
        "other": learn(["picture", 0], seed=62),
    }
    run = client.run(graph)
    one, two, other = (assert_learned(run.output(name)) for name in ("one", "two", "other"))
    assert {"one", "two", "other"} <= {m.data["node"] for m in run.of_type("executing")}
    assert one["text"] == two["text"] != other["text"]


def test_the_mixer_joins_and_learns(client: Client) -> None:
    words = {"a": text("a red cat"), "b": text("the blue sea"), "picture": picture()}
    links = {"prompt_1": ["a", 0], "prompt_2": ["b", 0]}
    run = client.run(
        {
            **words,
            "joined": mix(mode="concatenate", tokens=20, **links),
            "learned": mix(tokens=2, image_1=["picture", 0], image_1_weight=0.5, **links),
        }
    )
    assert run.succeeded, run.ending
    joined, learned = (assert_learned(run.output(name)) for name in ("joined", "learned"))
    assert {"red", "cat", "blue", "sea"} <= set(re.findall(r"\w+", joined["text"]))
    assert len(learned["tokens"]) == 2


def test_a_second_run_is_served_from_the_cache(client: Client) -> None:
    """Nothing runs, and `executed` comes again, so that the front end shows it again."""
    first, second = client.run(noise_and_learner(seed=77)), client.run(noise_and_learner(seed=77))
    cached = second.of_type("execution_cached")[0].data["nodes"]
    assert {"picture", "learner"} <= set(cached)
    assert not [m for m in second.of_type("executing") if m.data["node"] == "learner"]
    assert not second.of_type("pez.progress")
    outputs = [
        [m.data["output"] for m in run.of_type("executed") if m.data["node"] == "learner"]
        for run in (first, second)
    ]
    assert len(outputs[0]) == 1 and outputs[0] == outputs[1]
    assert second.output("learner") == outputs[0][0]


def test_progress_is_reported_and_not_too_often(client: Client) -> None:
    """Three seconds of a fast model: at most 10 messages a second, 3 of them our own. A slow
    machine sends fewer."""
    run = client.run(noise_and_learner(**GOING_ON, seconds=3.0, seed=5))
    assert run.succeeded, run.ending
    payload = assert_learned(run.output("learner"))
    assert payload["stopped"] == "seconds" and payload["seconds"] >= 3.0
    start = run.of_type("execution_start")[0].at
    lasted = run.ending.at - start
    doing = [message.data["doing"] for message in run.of_type("pez.doing")]
    assert doing[0] == "look" and set(doing) <= {"look", "load"}
    own = [message.data for message in run.of_type("pez.progress")]
    kinds = ("progress", "progress_state", "pez.progress", BINARY)
    all_of_them = [m for m in client.messages if m.type in kinds and start <= m.at <= run.ending.at]
    assert 1 <= len(own) <= 3 * lasted + 1, len(own)
    assert len(all_of_them) <= 10 * lasted, [m.type for m in all_of_them]
    for event in own:
        assert_progress(event)
        assert (event["node"], event["prompt_id"]) == ("learner", run.prompt_id)
    steps = [event["step"] for event in own]
    scores = [event["similarity"] for event in own]
    assert steps == sorted(steps) and scores == sorted(scores)  # always the best so far
    assert run.of_type("progress_state") or run.of_type("progress")  # ComfyUI's own bar


def test_progress_goes_to_the_page_that_asked(client: Client, server: Server) -> None:
    with connected(server.url) as bystander:
        run = client.run(noise_and_learner(**GOING_ON, seconds=1.0, seed=71))
        bystander.wait_for(lambda m: m.type == "status")
        assert run.of_type("pez.progress")
        assert not [m for m in bystander.messages if m.type == "pez.progress"]
