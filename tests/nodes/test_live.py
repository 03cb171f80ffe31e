"""A run as it goes: messages, ComfyUI's cancel, and "Use best so far"."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from tests.support.nodes_support import DEMO, NODE, PROMPT, Comfy, example, image_of
from tests.support.payloads import assert_progress

pytest_plugins = ("tests.support.nodes_fixtures",)

LONG = {"preset": "paper", "steps": 300, "restarts": 0}


class Clock:
    """A clock that goes on by so many seconds whenever it is looked at."""

    def __init__(self, tick: float) -> None:
        self.now, self.tick = 1000.0, tick

    def monotonic(self) -> float:
        self.now += self.tick
        return self.now


@pytest.fixture
def clock(comfy: Comfy, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A hundredth of a second for every step."""
    clock = Clock(0.01)
    monkeypatch.setattr(comfy.module("nodes.run.live"), "time", clock)
    return clock


def listen(comfy: Comfy, hear: Any) -> None:
    """Calls `hear` with every message about words at the moment it is sent."""
    comfy.server.send_sync = lambda event, data, sid=None: None if "doing" in data else hear(data)


def of_words(comfy: Comfy) -> list[Any]:
    """The messages that were sent after those on what the node was doing before."""
    return [message for message in comfy.server.sent if "doing" not in message[1]]


def test_the_page_that_asked_gets_the_messages(comfy: Comfy, clock: Clock) -> None:
    comfy.learn(image_of(example()), template="a {2}", **LONG)
    assert len(of_words(comfy)) > 3
    for event, data, page in of_words(comfy):
        assert (event, page) == ("pez.progress", "the page")
        assert (data["node"], data["prompt_id"]) == (NODE, PROMPT)
        assert_progress(json.loads(json.dumps(data)))
        assert [token["fixed"] for token in data["tokens"]] == [True, False, False]
        assert data["text"].split() == [token["text"] for token in data["tokens"]]
    told = [data for _, data, _ in of_words(comfy)]
    assert [data["step"] for data in told] == sorted(data["step"] for data in told)
    scores = [data["similarity"] for data in told]
    assert scores == sorted(scores) and scores[0] < scores[-1]


def test_at_most_three_messages_a_second(comfy: Comfy, clock: Clock) -> None:
    """During 3 seconds of steps, but not only one message; the bar moves as often."""
    heard: list[float] = []
    listen(comfy, lambda data: heard.append(clock.now))
    comfy.learn(image_of(example()), **LONG)
    assert 6 <= len(heard) <= 10
    for start in heard:
        assert len([at for at in heard if start <= at < start + 1]) <= 3
    assert 6 <= len(comfy.bar) <= 10
    assert {node for _, _, node in comfy.bar} == {NODE}
    assert all(0 < value <= total for value, total, _ in comfy.bar)


def test_the_first_words_come_at_once(comfy: Comfy, monkeypatch: pytest.MonkeyPatch) -> None:
    """However swift a run is something is seen of it, and no more than that."""
    monkeypatch.setattr(comfy.module("nodes.run.live"), "time", Clock(0.0))
    comfy.learn(image_of(example()))
    assert len(of_words(comfy)) == len(comfy.bar) == 1


def test_before_the_words_the_page_hears_what_is_done(comfy: Comfy) -> None:
    """In the order of the work, and each once; a second run has nothing to load."""

    def doing() -> list[tuple[str, str]]:
        comfy.server.sent.clear()
        comfy.learn(image_of(example()), avoid="a person")
        first = [
            event == "pez.progress" and data.get("doing") for event, data, _ in comfy.server.sent
        ]
        assert first.index(None) > 0 and not any(first[first.index(None) :])
        return [
            (data["doing"], data.get("model", ""))
            for _, data, _ in comfy.server.sent
            if "doing" in data
        ]

    assert doing() == [("look", ""), ("load", DEMO), ("guard", "")]
    assert doing() == [("look", "")]


@pytest.mark.parametrize("missing", ["instance", "module"])
def test_no_server_is_needed(
    comfy: Comfy, clock: Clock, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    if missing == "instance":
        monkeypatch.setattr(comfy.stub("server").PromptServer, "instance", None)
    else:
        monkeypatch.delitem(sys.modules, "server")
    comfy.module("nodes.routes").add_routes()
    assert comfy.learn(image_of(example())).result[0]
    assert comfy.server.sent == [] and comfy.server.routes.posts == {}


def test_no_queue_is_needed(comfy: Comfy, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a script calls a node; there is no prompt then."""
    monkeypatch.setattr(comfy.stub("comfy_execution.utils"), "context", None)
    comfy.learn(image_of(example()), **LONG)
    assert {data["prompt_id"] for _, data, _ in comfy.server.sent} == {None}


@pytest.mark.parametrize("after", [1, 2, 5, 8])
def test_cancelling_takes_effect_at_every_step(comfy: Comfy, after: int) -> None:
    """While PEZ steps (5) and while a prompt is refined; the next run knows nothing of it."""
    expected = comfy.learn(image_of(example())).result[:2]
    comfy.mm.interrupt_after = after
    with pytest.raises(comfy.mm.InterruptProcessingException):
        comfy.learn(image_of(example()))
    assert not comfy.module("nodes.run.live").finish(NODE, None)
    assert comfy.learn(image_of(example())).result[:2] == expected


@pytest.mark.parametrize("mode", ["learn", "concatenate"])
def test_the_mixer_can_be_cancelled(comfy: Comfy, mode: str) -> None:
    comfy.mm.interrupt_after = 2
    with pytest.raises(comfy.mm.InterruptProcessingException):
        comfy.mix(mode=mode, tokens=2, prompt_1="a red car on a long road", prompt_2="the sea")


def test_the_viewer_can_be_cancelled(comfy: Comfy) -> None:
    comfy.mm.interrupt_after = 2
    with pytest.raises(comfy.mm.InterruptProcessingException):
        comfy.view(prompt="a red car", model="demo (clip-art only)")


def test_nothing_remains_after_an_error(comfy: Comfy, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **options: Any) -> None:
        raise ValueError("as it happens")

    monkeypatch.setattr(comfy.module("nodes.run.learning"), "learn_prompt", fail)
    with pytest.raises(ValueError, match="as it happens"):
        comfy.learn(image_of(example()))
    assert not comfy.module("nodes.run.live").finish(NODE, None)


@pytest.mark.parametrize("prompt", [PROMPT, None])
def test_use_best_so_far(comfy: Comfy, clock: Clock, prompt: str | None) -> None:
    """At once, and with the best that was shown."""
    told: list[dict[str, Any]] = []

    def hear(data: dict[str, Any]) -> None:
        told.append(data)
        if len(told) == 3:
            assert comfy.module("nodes.run.live").finish(NODE, prompt)

    listen(comfy, hear)
    payload = comfy.learn(image_of(example()), **LONG).ui["pez"][0]
    assert payload["stopped"] == "user" and payload["steps"] == told[-1]["step"] < 300
    assert payload["similarity"] >= told[-1]["similarity"]


@pytest.mark.parametrize(
    ("node", "prompt"), [(NODE, "another"), ("3:3", PROMPT), ("3", PROMPT), ("", None)]
)
def test_only_the_run_that_is_meant_is_finished(
    comfy: Comfy, clock: Clock, node: str, prompt: str | None
) -> None:
    answers: list[bool] = []
    listen(comfy, lambda data: answers.append(comfy.module("nodes.run.live").finish(node, prompt)))
    payload = comfy.learn(image_of(example()), **LONG).ui["pez"][0]
    assert payload["stopped"] == "steps" and payload["steps"] == 300
    assert answers and not any(answers)
    assert not comfy.module("nodes.run.live").finish(NODE, PROMPT)  # it is over


def test_the_route_finishes_a_run(comfy: Comfy, clock: Clock, route: Any) -> None:
    body = json.dumps({"node": NODE, "prompt_id": PROMPT})
    answers: list[Any] = []
    listen(comfy, lambda data: answers.append(route(body)))
    payload = comfy.learn(image_of(example()), **LONG).ui["pez"][0]
    assert payload["stopped"] == "user" and answers == [(200, {"finished": True})]
    assert route(body) == (200, {"finished": False})


@pytest.mark.parametrize("body", ["", "{", "null", "[]", "3", '"x"', "{}", '{"prompt_id": "p"}'])
def test_the_route_refuses_what_it_cannot_read(comfy: Comfy, route: Any, body: str) -> None:
    status, answer = route(body)
    assert status == 400 and '"node"' in answer["error"]


@pytest.mark.parametrize("body", ['{"node": 3}', '{"node": [1], "prompt_id": {}}'])
def test_the_route_knows_no_such_run(comfy: Comfy, route: Any, body: str) -> None:
    assert route(body) == (200, {"finished": False})


def test_a_download_moves_the_bar_and_can_be_cancelled(comfy: Comfy) -> None:
    downloading = comfy.module("nodes.doing").Downloading("SD 1.5")
    comfy.mm.interrupt_after = 5  # the bar and the message of the first look as well
    downloading(10, 100)
    downloading(20, 100)
    with pytest.raises(comfy.mm.InterruptProcessingException):
        downloading(30, 100)


def test_the_bar_moves_before_there_are_words(comfy: Comfy) -> None:
    """Without a message, which has nothing to show yet."""
    live, searcher = comfy.module("nodes.run.live"), comfy.module("pez_core.search.searcher")
    with live.LiveSearch(NODE, frozenset()) as running:
        assert running(searcher.StepInfo(1, 10, 0.1, "pez", None)) is True
    assert comfy.bar == [(1, 10, NODE)] and not comfy.server.sent
