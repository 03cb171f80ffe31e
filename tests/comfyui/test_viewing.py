"""The Token Viewer, alone and in the loop with a learner."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.comfyui.client import Client, Prompt
from tests.comfyui.graphs import DEMO, learn, mix, node, picture, text, view
from tests.support.payloads import Json, assert_learned, assert_viewed

pytestmark = pytest.mark.comfyui

SENTENCE = "a red cat, on the sofa"


def viewed(client: Client, prompt: str, graph: Prompt | None = None, **changes: Any) -> Json:
    """The payload for a typed prompt, with what the outputs carry under `outputs`."""
    parts = {
        "text": text(prompt),
        "viewer": view(prompt=["text", 0], **changes),
        **{
            name: node("Other_Values", text=["viewer", slot])
            for slot, name in enumerate(("passed", "template", "ban"))
        },
        **(graph or {}),
    }
    run = client.run(parts)
    assert run.succeeded, run.ending
    outputs = {
        name: run.output(name)["report"][0]["text"] for name in ("passed", "template", "ban")
    }
    return {**assert_viewed(run.output("viewer")), "outputs": outputs}


def edits(**changes: Any) -> str:
    empty = {"schema": 1, "source": SENTENCE, "locked": [], "banned": [], "replaced": {}}
    return json.dumps({**empty, **changes})


def test_a_prompt_is_taken_apart(client: Client) -> None:
    """Without a model: words, tokens, counts; nothing is measured."""
    payload = viewed(client, SENTENCE)
    assert [word["text"] for word in payload["words"]] == [
        "a", "red", "cat", ",", "on", "the", "sofa",
    ]  # fmt: skip
    assert payload["outputs"]["passed"] == payload["text"] == SENTENCE
    assert payload["counts"] and payload["counts"][0]["tokens"] == 7
    assert payload["similarity"] is None and payload["compared_with"] is None
    assert all(part["contribution"] is None for w in payload["words"] for part in w["tokens"])


def test_edits_decide_what_goes_on(client: Client) -> None:
    wanted = edits(locked=[1, 2], banned=["sofa"], replaced={"2": "kitten"})
    payload = viewed(client, SENTENCE, edits=wanted)
    assert payload["outputs"]["passed"] == "a red kitten, on the"
    assert payload["outputs"]["ban"] == "sofa" and payload["ban"] == "sofa"
    assert payload["outputs"]["template"] == payload["template"] == "{1} red kitten {4}"
    marks = [(w["locked"], w["banned"], w["replaced"]) for w in payload["words"]]
    assert marks[2] == (True, False, "kitten") and marks[6] == (False, True, None)


def test_edits_of_another_text_are_ignored_but_for_the_bans(client: Client) -> None:
    wanted = edits(source="else", locked=[0], banned=["sofa"], replaced={"2": "kitten"})
    payload = viewed(client, SENTENCE, edits=wanted)
    assert payload["outputs"]["passed"] == "a red cat, on the"
    assert not any(word["locked"] for word in payload["words"])


def test_a_model_measures_what_each_token_adds(client: Client) -> None:
    changes = {"model": DEMO, "image": ["picture", 0]}
    payload = viewed(client, SENTENCE, {"picture": picture()}, **changes)
    assert payload["compared_with"] == "the picture"
    assert all(part["contribution"] is not None for w in payload["words"] for part in w["tokens"])
    assert any(word["alternatives"] for word in payload["words"])
    alone = viewed(client, SENTENCE, model=DEMO)
    assert alone["compared_with"] == "the prompt itself"
    assert all(part["contribution"] is not None for w in alone["words"] for part in w["tokens"])


def test_more_tokens_than_a_chunk_are_counted(client: Client) -> None:
    payload = viewed(client, " ".join(["cat"] * 80), model=DEMO)
    assert payload["counts"][0]["tokens"] == 80 and len(payload["words"]) == 80
    measured = [w["tokens"][0]["contribution"] is not None for w in payload["words"]]
    assert measured == [True] * 75 + [False] * 5


def test_what_was_learned_arrives_with_its_picture(client: Client) -> None:
    """Through PEZ_TOKENS alone: the text, the model and the target."""
    graph = {
        "picture": picture(),
        "learner": learn(["picture", 0]),
        "viewer": view(tokens=["learner", 2]),
    }
    run = client.run(graph)
    assert run.succeeded, run.ending
    learned, payload = assert_learned(run.output("learner")), assert_viewed(run.output("viewer"))
    assert payload["source"] == learned["text"]
    ids = [part["id"] for word in payload["words"] for part in word["tokens"]]
    assert ids == [token["id"] for token in learned["tokens"]]


def test_what_to_avoid_arrives_with_what_was_learned(client: Client) -> None:
    """Any prompt is checked against the viewer's own input."""
    graph = {
        "picture": picture(),
        "learner": learn(["picture", 0], avoid="a horse, text"),
        "viewer": view(tokens=["learner", 2]),
        "text": text("a black horse"),
        "checker": view(prompt=["text", 0], model=DEMO, avoid="a horse"),
    }
    run = client.run(graph)
    assert run.succeeded, run.ending
    learned, checked = assert_learned(run.output("learner")), assert_viewed(run.output("checker"))
    found = [assert_viewed(run.output("viewer")), learned]
    for payload in found:
        assert [kept["concept"] for kept in payload["guard"]] == ["a horse", "text"]
        assert not any(kept["near"] for kept in payload["guard"])
    (kept,) = checked["guard"]
    assert kept["near"]
    pulls = [word["pulls"]["a horse"] for word in checked["words"]]
    assert max(pulls) == pulls[2]


def test_a_graph_of_an_earlier_version_runs(client: Client) -> None:
    """Sent to the API it knows nothing of what to avoid."""
    graph = {
        "picture": picture(),
        "learner": learn(["picture", 0]),
        "mixer": mix(prompt_1=["learner", 0]),
        "viewer": view(tokens=["mixer", 2]),
    }
    for call in graph.values():
        call["inputs"].pop("avoid", None)
    run = client.run(graph)
    assert run.succeeded, run.ending
    assert assert_viewed(run.output("viewer"))["guard"] == []


def test_locked_words_stay_in_the_next_prompt(client: Client) -> None:
    """The viewer's template and ban go into a second learner."""
    wanted = edits(locked=[1, 2], banned=["sofa"])
    graph = {
        "picture": picture(),
        "learner": learn(["picture", 0], template=["viewer", 1], ban=["viewer", 2]),
    }
    run = client.run(
        {"text": text(SENTENCE), "viewer": view(prompt=["text", 0], edits=wanted), **graph}
    )
    assert run.succeeded, run.ending
    payload = assert_learned(run.output("learner"))
    fixed = [token["text"] for token in payload["tokens"] if token["fixed"]]
    assert fixed == ["red", "cat"] and "sofa" not in payload["text"]


def test_a_prompt_in_the_cache_is_viewed_anew_when_edited(client: Client) -> None:
    """Only the viewer runs: what comes before it has not changed."""
    graph = {"picture": picture(), "learner": learn(["picture", 0], seed=51)}
    first = client.run({**graph, "viewer": view(prompt=["learner", 0])})
    source = assert_viewed(first.output("viewer"))["source"]
    changed = json.dumps({"schema": 1, "source": source, "locked": [0]})
    second = client.run({**graph, "viewer": view(prompt=["learner", 0], edits=changed)})
    ran = {message.data["node"] for message in second.of_type("executing")} - {None}
    assert ran == {"viewer"}
    assert assert_viewed(second.output("viewer"))["words"][0]["locked"]
