"""Ending a run early: ComfyUI's interrupt, and "Use best so far"."""

from __future__ import annotations

from typing import Any

import pytest

from tests.comfyui.client import Client, Message, Prompt, RefusedError, Run
from tests.comfyui.graphs import CLIP_L_CHOICE, learn, node, picture
from tests.support.payloads import assert_learned

pytestmark = pytest.mark.comfyui

GOING_ON: dict[str, Any] = {"preset": "paper", "steps": 100_000}
# Messages of progress after the answer to a request that ends a run: one is on its way, one is
# being made. A run that ignores the request sends many more.
LATE = 2


def graph(**changes: Any) -> Prompt:
    return {"picture": picture(), "learner": learn(["picture", 0], **changes)}


def started(client: Client, prompt: Prompt, phase: str = "pez") -> tuple[str, Message]:
    """A prompt that is being learned, and the last word of it so far."""
    prompt_id = client.queue(prompt)
    return prompt_id, client.wait_for(
        lambda m: (
            m.type == "pez.progress"
            and m.data["prompt_id"] == prompt_id
            and m.data["phase"] == phase
            and m.data["step"] > 0
        ),
    )


def late(run: Run, before: int) -> int:
    """How many messages of progress have come after the first `before` of them."""
    return len(run.of_type("pez.progress")) - before


def told(client: Client, prompt_id: str) -> int:
    """How many messages of progress have come so far."""
    with client.arrival:
        return sum(
            m.type == "pez.progress" and m.data["prompt_id"] == prompt_id for m in client.messages
        )


@pytest.mark.parametrize("model", ["demo (clip-art only)", CLIP_L_CHOICE])
def test_an_interrupt_takes_effect_within_a_step(client: Client, model: str) -> None:
    prompt_id, _ = started(client, graph(**GOING_ON, model=model))
    client.post("/interrupt", {})
    before = told(client, prompt_id)
    run = client.finish(prompt_id)
    assert run.ending.type == "execution_interrupted", run.ending
    assert late(run, before) <= LATE
    assert "learner" not in run.history["outputs"]


def test_an_interrupt_takes_effect_while_the_prompt_is_refined(client: Client) -> None:
    """With a model of true size, where the swaps of one refinement step take long; a step that
    found nothing is followed by one with more swaps."""
    prompt = graph(preset="default", steps=2, restarts=2, tokens=16, model=CLIP_L_CHOICE)
    prompt_id, first = started(client, prompt, "refine")
    client.wait_for(
        lambda m: (
            m.type == "pez.progress"
            and m.data["prompt_id"] == prompt_id
            and m.data["step"] > first.data["step"]
        )
    )
    client.post("/interrupt", {})
    before = told(client, prompt_id)
    run = client.finish(prompt_id)
    assert run.ending.type == "execution_interrupted", run.ending
    assert late(run, before) <= LATE


def test_the_next_run_works_after_an_interrupt(client: Client) -> None:
    prompt_id, _ = started(client, graph(**GOING_ON, seed=11))
    client.post("/interrupt", {})
    assert client.finish(prompt_id).ending.type == "execution_interrupted"
    run = client.run(graph(seed=12))
    assert run.succeeded, run.ending
    assert assert_learned(run.output("learner"))["stopped"] != "user"


def test_use_best_so_far_ends_the_run_with_its_result(client: Client) -> None:
    """The rest of the graph runs on with the prompt. The node is one of a subgraph."""
    prompt = {
        "picture": picture(),
        "3:2": learn(["picture", 0], **GOING_ON, seed=13),
        "values": node("Other_Values", text=["3:2", 0], similarity=["3:2", 1]),
    }
    prompt_id, progress = started(client, prompt)
    answer = client.post("/pez/finish", {"node": "3:2", "prompt_id": prompt_id})
    before = told(client, prompt_id)
    run = client.finish(prompt_id)
    assert progress.data["node"] == "3:2" and answer == {"finished": True}
    assert run.succeeded, run.ending
    assert late(run, before) <= LATE
    payload = assert_learned(run.output("3:2"))
    assert payload["stopped"] == "user"
    assert payload["similarity"] >= progress.data["similarity"] - 1e-4
    assert run.output("values")["report"][0]["text"]


def test_only_the_run_that_is_meant_is_finished(client: Client) -> None:
    prompt_id, _ = started(client, graph(**GOING_ON, seed=14))
    for body in (
        {"node": "another", "prompt_id": prompt_id},
        {"node": "learner", "prompt_id": "another"},
    ):
        assert client.post("/pez/finish", body) == {"finished": False}
    client.post("/interrupt", {})
    assert client.finish(prompt_id).ending.type == "execution_interrupted"
    finished = client.post("/pez/finish", {"node": "learner", "prompt_id": prompt_id})
    assert finished == {"finished": False}


@pytest.mark.parametrize("body", [{}, [], "x", {"node": 3, "prompt_id": None}])
def test_a_wrong_request_does_no_harm(client: Client, body: Any) -> None:
    """Refused, or answered with no; never an error of the server's own."""
    try:
        assert client.post("/pez/finish", body) == {"finished": False}
    except RefusedError as error:
        assert "500" not in str(error)


def test_two_learners_of_one_graph_are_told_apart(client: Client) -> None:
    """Finishing the first leaves the second at work."""
    prompt = {
        **graph(**GOING_ON, seed=15),
        "second": learn(["picture", 0], **GOING_ON, seed=16),
    }
    prompt_id = client.queue(prompt)
    names = []
    for _ in range(2):
        message = client.wait_for(
            lambda m: (
                m.type == "pez.progress"
                and m.data["prompt_id"] == prompt_id
                and m.data["node"] not in names
            ),
        )
        names.append(message.data["node"])
        body = {"node": names[-1], "prompt_id": prompt_id}
        assert client.post("/pez/finish", body) == {"finished": True}
    run = client.finish(prompt_id)
    assert run.succeeded and set(names) == {"learner", "second"}
