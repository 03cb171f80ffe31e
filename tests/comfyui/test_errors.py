"""What a user can get wrong: a message of one sentence on the node, and the server lives on."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.comfyui.client import Client, RefusedError
from tests.comfyui.graphs import learn, mix, picture, text, view

pytestmark = pytest.mark.comfyui

WORDS = " ".join(["cat"] * 72)
BAD_PICTURES = {
    "empty batch": r"PictureError: `image` contains no picture",
    "not a number": r"PictureError: `image` .*NaN",
    "one pixel": r"PictureError: `image` is 1 x 1 pixels",
}
BAD_WIDGETS: list[tuple[dict[str, Any], str]] = [
    ({"template": "a photo of a cat"}, r"(?i)slot|\{n\}"),
    ({"template": f"{WORDS} {{8}}"}, "75"),
    ({"template": "a {0} b"}, r"\{0\}|at least"),
    ({"template": "a {x} b"}, "x"),
    ({"learning_rate": 10.0, "weight_decay": 1.0}, r"weight_decay .*lower"),
]


def error_of(client: Client, prompt: Any) -> str:
    """The node's error, without the path-like name of the class's module."""
    run = client.run(prompt)
    assert run.ending.type == "execution_error", run.ending
    assert run.ending.data["node_id"] in prompt
    return run.error.split("/pez-prompts.")[-1].rpartition("errors.")[2]


@pytest.mark.parametrize(("kind", "message"), BAD_PICTURES.items())
def test_a_picture_that_is_none(client: Client, kind: str, message: str) -> None:
    found = error_of(client, {"picture": picture(kind), "node": learn(["picture", 0])})
    assert re.search(message, found), found


@pytest.mark.parametrize("kind", ["alpha", "grey"])
def test_a_picture_of_other_channels_is_one(client: Client, kind: str) -> None:
    graph = {"picture": picture(kind), "node": learn(["picture", 0])}
    assert client.run(graph).succeeded


@pytest.mark.parametrize(("changes", "message"), BAD_WIDGETS)
def test_a_widget_that_cannot_be(client: Client, changes: dict[str, Any], message: str) -> None:
    graph = {"picture": picture(), "node": learn(["picture", 0], **changes)}
    found = error_of(client, graph)
    assert re.search(message, found) and "Error: " in found, found


def test_more_tokens_than_fit_are_refused_before_the_run(client: Client) -> None:
    with pytest.raises(RefusedError, match="value_bigger_than_max"):
        client.queue({"picture": picture(), "node": learn(["picture", 0], tokens=76)})


def test_a_bad_negative_picture_is_named(client: Client) -> None:
    graph = {
        "picture": picture(),
        "bad": picture("not a number"),
        "node": learn(["picture", 0], negative_image=["bad", 0]),
    }
    assert "`negative_image`" in error_of(client, graph)


def test_a_mixer_without_anything_to_mix(client: Client) -> None:
    assert "Error: " in error_of(client, {"node": mix()})


def test_weights_that_cancel_out(client: Client) -> None:
    graph = {"text": text("a cat"), "node": mix(prompt_1=["text", 0], prompt_1_weight=0.0)}
    assert "Error: " in error_of(client, graph)


def test_edits_that_are_not_json(client: Client) -> None:
    graph = {"text": text("a cat"), "node": view(prompt=["text", 0], edits="{nonsense")}
    assert "EditsError: " in error_of(client, graph)


def test_a_viewer_without_a_prompt(client: Client) -> None:
    assert "Error: " in error_of(client, {"node": view()})


def test_an_error_leaves_the_server_well(client: Client) -> None:
    error_of(client, {"picture": picture("not a number"), "node": learn(["picture", 0])})
    run = client.run({"picture": picture(), "node": learn(["picture", 0], seed=41)})
    assert run.succeeded, run.ending
