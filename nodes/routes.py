"""What the pack's pages ask the server: to end a run, what a graph paints with, and for the
pictures of an example workflow."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from .examples import copy_pictures
from .models.painters import advice
from .run.live import finish, running_server

log = logging.getLogger(__name__)

PACK = Path(__file__).parents[1]
MOST = 64  # loaders of a graph, values of a loader, pictures
Answer = Callable[[Any], Awaitable[dict[str, Any]]]


async def _finish(body: Any) -> dict[str, Any]:
    """{"node", "prompt_id"}, which "Use best so far" sends."""
    return {"finished": finish(str(body["node"]), body.get("prompt_id"))}


async def _painter(body: Any) -> dict[str, Any]:
    """{"loaders": the texts among the values of each, "model": the chosen one}."""
    loaders = [[str(value) for value in values[:MOST]] for values in body["loaders"][:MOST]]
    return await asyncio.to_thread(advice, loaders, str(body["model"]))  # files are read


async def _pictures(body: Any) -> dict[str, Any]:
    """{"pictures": names}, of pictures that a workflow loads."""
    names = [str(name) for name in body["pictures"][:MOST]]
    return {"pictures": await asyncio.to_thread(copy_pictures, names)}


# By path: the answer, what a request has to be, and what does not work without it.
_ROUTES: dict[str, tuple[Answer, str, str]] = {
    "/pez/finish": (_finish, '{"node": id, "prompt_id": id}', 'the button "Use best so far"'),
    "/pez/painter": (_painter, '{"loaders": [[text]], "model": text}', "the choice of a model"),
    "/pez/pictures": (_pictures, '{"pictures": [name]}', "a picture of an example"),
}


def add_routes() -> None:
    """The routes above, by POST.

    They are added once: with two routes of one path ComfyUI may not start. If the pack is installed
    twice, the first copy answers for the running nodes of both.
    """
    server = running_server()
    if server is None:
        return
    first = getattr(server, "pez_folder", None)
    if first is not None:
        if first != PACK:
            log.warning("This pack is installed twice: remove %s or %s", first, PACK)
        return
    server.pez_folder = PACK
    for path, (answer, wanted, use) in _ROUTES.items():
        taken = next((route for route in server.routes if _posts(route) == path), None)
        if taken is None:
            server.routes.post(path)(_handler(answer, wanted))
            continue
        log.warning(
            "%s already answers POST %s, so %s has no effect; if this is an older copy of the "
            "pack, remove it",
            taken.handler.__module__, path, use,
        )  # fmt: skip


def _handler(answer: Answer, wanted: str) -> Callable[[Any], Awaitable[Any]]:
    from aiohttp import web

    async def handle(request: Any) -> Any:
        try:
            return web.json_response(await answer(await request.json()))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return web.json_response({"error": f"send {wanted}"}, status=400)

    return handle


def _posts(route: Any) -> str | None:
    """The path of a route for POST."""
    return route.path if getattr(route, "method", "") == "POST" else None
