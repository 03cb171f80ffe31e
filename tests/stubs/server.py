"""ComfyUI's server, as far as a node talks to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class _Route:
    method: str
    path: str
    handler: Any


class _Routes:
    """As aiohttp's table of routes, but a second route of one path is refused at once. ComfyUI
    hands the table to aiohttp after all packs are loaded, and does not start then."""

    def __init__(self) -> None:
        self.posts: dict[str, Any] = {}

    def __iter__(self) -> Iterator[_Route]:
        return iter([_Route("POST", path, handler) for path, handler in self.posts.items()])

    def post(self, path: str) -> Callable[[Any], Any]:
        if path in self.posts:
            raise RuntimeError(
                "Added route will never be executed, method POST is already registered"
            )
        return lambda handler: self.posts.setdefault(path, handler)


class PromptServer:
    instance: PromptServer | None = None

    def __init__(self) -> None:
        self.client_id: str | None = "the page"
        self.routes = _Routes()
        self.sent: list[tuple[str, dict[str, Any], str | None]] = []

    def send_sync(self, event: str, data: dict[str, Any], sid: str | None = None) -> None:
        self.sent.append((event, data, sid))
