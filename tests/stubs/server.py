"""ComfyUI's server, as far as a node talks to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class _Routes:
    def __init__(self) -> None:
        self.posts: dict[str, Any] = {}

    def post(self, path: str) -> Callable[[Any], Any]:
        return lambda handler: self.posts.setdefault(path, handler)


class PromptServer:
    instance: PromptServer | None = None

    def __init__(self) -> None:
        self.client_id: str | None = "the page"
        self.routes = _Routes()
        self.sent: list[tuple[str, dict[str, Any], str | None]] = []

    def send_sync(self, event: str, data: dict[str, Any], sid: str | None = None) -> None:
        self.sent.append((event, data, sid))
