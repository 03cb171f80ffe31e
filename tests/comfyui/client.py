"""A client of ComfyUI's HTTP and websocket interface, as the front end is one: it queues prompts
and keeps every message with the time of its arrival."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.support.processes import SAFETY

if TYPE_CHECKING:
    import aiohttp

Prompt = dict[str, dict[str, Any]]
ENDINGS = ("execution_success", "execution_error", "execution_interrupted")
BINARY = "binary"  # the type given to messages that are not JSON


@dataclass(frozen=True)
class Message:
    """A websocket message; `at` is in seconds of `time.monotonic`."""

    type: str
    data: dict[str, Any]
    at: float


@dataclass(frozen=True)
class Run:
    """A prompt that has come to its end."""

    prompt_id: str
    ending: Message
    messages: list[Message]  # of this prompt, the ending included
    history: dict[str, Any] = field(repr=False)

    @property
    def succeeded(self) -> bool:
        return self.ending.type == "execution_success"

    @property
    def error(self) -> str:
        """The message of the node that failed, with its kind."""
        assert self.ending.type == "execution_error", self.ending
        data = self.ending.data
        return f"{data['exception_type']}: {data['exception_message']}"

    def output(self, node: str) -> dict[str, Any]:
        """What the history keeps of a node's `ui`."""
        outputs: dict[str, Any] = self.history["outputs"]
        return dict(outputs[node])

    def of_type(self, kind: str) -> list[Message]:
        return [message for message in self.messages if message.type == kind]


class RefusedError(Exception):
    """ComfyUI did not take a request; its answer is the argument."""


class Client:
    """One browser tab, so to speak; made by `connected`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client_id = uuid.uuid4().hex
        self.messages: list[Message] = []
        self.arrival = Condition()

    # -- HTTP

    def get(self, path: str) -> Any:
        with urlopen(self.url + path, timeout=SAFETY) as answer:
            return json.load(answer)

    def post(self, path: str, body: object) -> Any:
        """The answer's JSON, or None if it has none. Raises RefusedError for a status ≥ 400."""
        return self._send(path, json.dumps(body).encode(), "application/json")

    def upload(self, name: str, picture: bytes) -> str:
        """Puts a picture into ComfyUI's input folder; the name for LoadImage."""
        edge = uuid.uuid4().hex
        head = (
            f'--{edge}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n'
            "Content-Type: image/png\r\n\r\n"
        )
        body = head.encode() + picture + f"\r\n--{edge}--\r\n".encode()
        answer = self._send("/upload/image", body, f"multipart/form-data; boundary={edge}")
        return str(answer["name"])

    def _send(self, path: str, body: bytes, kind: str) -> Any:
        request = Request(self.url + path, data=body, headers={"Content-Type": kind})
        try:
            with urlopen(request, timeout=SAFETY) as answer:
                text = answer.read()
        except HTTPError as error:
            raise RefusedError(error.read().decode(errors="replace")) from None
        return json.loads(text) if text.strip() else None

    # -- prompts

    def queue(self, prompt: Prompt) -> str:
        """The id that ComfyUI gives the prompt. Raises RefusedError if it does not validate."""
        body = {"prompt": prompt, "client_id": self.client_id}
        return str(self.post("/prompt", body)["prompt_id"])

    def run(self, prompt: Prompt, timeout: float = SAFETY) -> Run:
        """Queues a prompt and waits for its end, whatever that is."""
        return self.finish(self.queue(prompt), timeout)

    def finish(self, prompt_id: str, timeout: float = SAFETY) -> Run:
        """Waits for the end of a queued prompt."""
        ending = self.wait_for(
            lambda m: m.type in ENDINGS and m.data["prompt_id"] == prompt_id, timeout
        )
        history = self._history(prompt_id)
        with self.arrival:
            mine = [m for m in self.messages if m.data.get("prompt_id") == prompt_id]
        return Run(prompt_id, ending, mine, history)

    def end_all(self, timeout: float = SAFETY) -> None:
        """Empties the queue, and waits until nothing runs any more."""
        limit = time.monotonic() + timeout
        self.post("/queue", {"clear": True})
        while self.get("/queue")["queue_running"]:
            if time.monotonic() > limit:
                raise TimeoutError(f"a prompt still runs {timeout} s after its interrupt")
            self.post("/interrupt", {})
            time.sleep(0.1)

    def wait_for(self, wanted: Callable[[Message], bool], timeout: float = SAFETY) -> Message:
        """The first message of all that came that is wanted."""
        limit = time.monotonic() + timeout
        seen = 0
        with self.arrival:
            while True:
                for message in self.messages[seen:]:
                    if wanted(message):
                        return message
                seen = len(self.messages)
                if not self.arrival.wait(max(limit - time.monotonic(), 0)):
                    kinds = [message.type for message in self.messages[-20:]]
                    raise TimeoutError(f"not within {timeout} s; the last that came: {kinds}")

    def _history(self, prompt_id: str, timeout: float = SAFETY) -> dict[str, Any]:
        """The history is written a little after the last message."""
        limit = time.monotonic() + timeout
        while time.monotonic() < limit:
            entry = self.get(f"/history/{prompt_id}").get(prompt_id)
            if entry is not None:
                return dict(entry)
            time.sleep(0.02)
        raise TimeoutError(f"no history of {prompt_id}")

    # -- websocket

    async def listen(self, open_now: Future[None], stop: asyncio.Event) -> None:
        """Collects messages until it is asked to stop."""
        import aiohttp  # comes with ComfyUI: without one these tests are only skipped

        address = f"{self.url}/ws?clientId={self.client_id}".replace("http", "ws", 1)
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(address, max_msg_size=0) as socket,
        ):
            open_now.set_result(None)
            reader = asyncio.create_task(self._read(socket))
            await stop.wait()
            reader.cancel()

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for raw in socket:
            now = time.monotonic()
            if isinstance(raw.data, str):
                content = json.loads(raw.data)
                data = content.get("data") or {}
                # What a node does before its first words is told apart from these.
                kind = "pez.doing" if "doing" in data else content["type"]
                message = Message(kind, data, now)
            else:
                event = int.from_bytes(raw.data[:4], "big")
                message = Message(BINARY, {"event": event, "bytes": len(raw.data)}, now)
            with self.arrival:
                self.messages.append(message)
                self.arrival.notify_all()


@contextmanager
def connected(url: str) -> Iterator[Client]:
    """A client whose websocket is open."""
    client, loop = Client(url), asyncio.new_event_loop()
    opened: Future[None] = Future()
    stop = asyncio.Event()

    def work() -> None:
        try:
            loop.run_until_complete(client.listen(opened, stop))
        except Exception as error:
            if opened.done():
                raise
            opened.set_exception(error)

    thread = Thread(target=work, daemon=True)
    thread.start()
    opened.result(timeout=SAFETY)
    try:
        yield client
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=SAFETY)
        loop.close()
