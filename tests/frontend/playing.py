"""How the stand-in server plays a recorded run: its state, and the events in ComfyUI's order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import recording
from aiohttp import web

LEARNERS = ("PEZ_ImageToHardPrompt", "PEZ_PromptMixer")
RANKER = "PEZ_PromptRanker"


class State:
    """What one server knows: its sockets, what was asked of it, and how runs go."""

    def __init__(self) -> None:
        self.sockets: dict[str, web.WebSocketResponse] = {}
        asked = ("prompt", "finish", "interrupt", "painter", "pictures")
        self.log: dict[str, list[Any]] = {name: [] for name in asked}
        self.play: dict[str, Any] = {"mode": "run"}
        self.settings: dict[str, Any] = {}
        self.files: dict[str, str] = {}  # saved workflows
        self.queue: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()
        self.played: dict[str, asyncio.Event] = {}  # by prompt: when it has run
        self.finished = asyncio.Event()
        self.interrupted = asyncio.Event()
        self.go = asyncio.Event()

    async def send(self, kind: str, /, **data: Any) -> None:
        for socket in list(self.sockets.values()):
            if not socket.closed:
                await socket.send_json({"type": kind, "data": data})


class Interrupted(Exception):
    pass


async def play_prompt(state: State, prompt_id: str, body: dict[str, Any]) -> None:
    """Sends the events of one run, in ComfyUI's order."""
    state.finished.clear()
    state.interrupted.clear()
    play = dict(state.play)
    await state.send("execution_start", prompt_id=prompt_id, timestamp=0)
    await state.send("execution_cached", nodes=[], prompt_id=prompt_id, timestamp=0)
    try:
        for node, call in body["prompt"].items():
            if call["class_type"] in LEARNERS:
                await play_learner(state, play, node, prompt_id)
            elif call["class_type"] == RANKER:
                await play_ranker(state, play, node, prompt_id)
            elif call["class_type"] == "PEZ_TokenViewer":
                edits = json.loads(call["inputs"].get("edits") or "{}")
                payload = recording.viewed(
                    edits, play.get("text"), play.get("words", 0), play.get("locked", []),
                    play.get("error"),
                )  # fmt: skip
                await executed(state, node, prompt_id, payload)
        await state.send("executing", node=None, prompt_id=prompt_id)
        await state.send("execution_success", prompt_id=prompt_id, timestamp=0)
    except Interrupted:
        await state.send(
            "execution_interrupted", prompt_id=prompt_id, node_id=node, node_type="", executed=[]
        )
    except RuntimeError as error:
        await state.send(
            "execution_error", prompt_id=prompt_id, node_id=node, node_type=call["class_type"],
            executed=[], exception_message=str(error), exception_type="RuntimeError",
            traceback=[], current_inputs={}, current_outputs=[], timestamp=0,
        )  # fmt: skip
    await state.send("status", status={"exec_info": {"queue_remaining": state.queue.qsize()}})


async def play_learner(state: State, play: dict[str, Any], node: str, prompt_id: str) -> None:
    if play["mode"] == "cached":
        return await executed(state, node, prompt_id, recording.learned(text=play.get("text")))
    for facts in play.get("doing", []):
        await state.send("pez.progress", schema=1, **facts, node=node, prompt_id=prompt_id)
    if play["mode"] == "doing":
        await hold(state)
    if play["mode"] == "fail":
        raise RuntimeError(play["message"])
    ended = await play_steps(state, play, node, prompt_id, recording.progress)
    stopped = "plateau" if ended is None else "user"
    texts = play.get("texts") or [play.get("text")]
    await executed(state, node, prompt_id, *(recording.learned(stopped, text) for text in texts))


async def play_ranker(state: State, play: dict[str, Any], node: str, prompt_id: str) -> None:
    ended = await play_steps(state, play, node, prompt_id, recording.ranking)
    if ended is None:
        found = recording.ranking(
            recording.TOTAL, text=play.get("text"), words=play.get("added", False),
            edited=play.get("edited", False),
        )  # fmt: skip
    else:
        found = recording.ranking(ended, "stopped")
    return await executed(state, node, prompt_id, found)


async def play_steps(
    state: State,
    play: dict[str, Any],
    node: str,
    prompt_id: str,
    message: Callable[[int], dict[str, Any]],
) -> int | None:
    """Sends the progress of a run. Returns the step at which the user ended it, if any."""
    await state.send("executing", node=node, display_node=node, prompt_id=prompt_id)
    for step in range(1, recording.TOTAL + 1):
        await state.send(
            "progress", value=step, max=recording.TOTAL, node=node, prompt_id=prompt_id
        )
        await state.send("pez.progress", **message(step), node=node, prompt_id=prompt_id)
        if play["mode"] == "error" and step == 6:
            raise RuntimeError("no such model")
        if play["mode"] == "hold" and step == 8:
            await hold(state)
            return step
        await asyncio.sleep(play.get("pause", 0.02))
    return None


async def hold(state: State) -> None:
    """Waits until the run is finished or interrupted."""
    waiting = [asyncio.create_task(e.wait()) for e in (state.finished, state.interrupted)]
    _, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    if state.interrupted.is_set():
        raise Interrupted


async def executed(state: State, node: str, prompt_id: str, *payloads: dict[str, Any]) -> None:
    """payloads: several for a node that ran for each picture of a list."""
    output = {"pez": [*payloads], "text": [payload["text"] for payload in payloads]}
    await state.send("executed", node=node, display_node=node, output=output, prompt_id=prompt_id)


async def play_all(state: State) -> None:
    while True:
        prompt_id, body = await state.queue.get()
        await play_prompt(state, prompt_id, body)
        state.played[prompt_id].set()
