"""Two copies of the pack in one ComfyUI, and another extension with the pack's route."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.load_pack import import_pack
from tests.support.nodes_support import (
    NODE,
    PROMPT,
    ROOT,
    Comfy,
    Loaded,
    example,
    image_of,
    unload,
)

pytest_plugins = ("tests.support.nodes_fixtures",)

LONG = {"preset": "paper", "steps": 300, "restarts": 0}
BODY = {"node": NODE, "prompt_id": PROMPT}


@pytest.fixture
def copy(comfy: Comfy, tmp_path: Path) -> Iterator[Comfy]:
    """A second copy of the pack in the same ComfyUI, loaded after the first."""
    folder = tmp_path / "custom_nodes" / "comfyui-pez-main"
    folder.parent.mkdir()
    folder.symlink_to(ROOT)
    loaded = Loaded(import_pack(str(folder)), comfy._loaded.stubs)
    second = Comfy(loaded)
    second.server = comfy.server
    yield second
    unload(loaded)


def start(*copies: Comfy) -> None:
    """Calls the entry point of each copy, as ComfyUI does."""
    for one in copies:
        asyncio.run(one._loaded.pack.comfy_entrypoint())


@pytest.mark.parametrize("runs", ["the first copy", "the second copy"])
def test_the_button_works_whichever_copy_runs(
    comfy: Comfy, copy: Comfy, route: Any, runs: str
) -> None:
    start(comfy, copy)
    answers: list[Any] = []

    def hear(event: str, data: dict[str, Any], sid: str | None = None) -> None:
        if "doing" not in data:
            answers.append(route(json.dumps(BODY)))

    comfy.server.send_sync = hear
    running = comfy if runs == "the first copy" else copy
    payload = running.learn(image_of(example()), **LONG).ui["pez"][0]
    assert payload["stopped"] == "user" and answers == [(200, {"finished": True})]
    assert route(json.dumps(BODY)) == (200, {"finished": False})


def test_the_log_names_both_folders(
    comfy: Comfy, copy: Comfy, aiohttp: None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    start(comfy)
    assert not caplog.records
    start(copy)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    second = tmp_path / "custom_nodes" / "comfyui-pez-main"
    assert f"remove {ROOT} or {second}" in record.getMessage()
    assert list(comfy.server.routes.posts) == ["/pez/finish", "/pez/painter", "/pez/pictures"]


def test_a_second_import_of_one_folder_is_not_a_second_copy(
    comfy: Comfy, route: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """As after a failed import, or when another extension reloads the packs."""
    again = Loaded(import_pack(f"{ROOT}/."), comfy._loaded.stubs)
    try:
        start(comfy, Comfy(again))
    finally:
        unload(again)
    assert not caplog.records and len(comfy.server.routes.posts) == 3


def test_the_route_of_another_extension_stays(
    comfy: Comfy, copy: Comfy, aiohttp: None, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as an older copy of the pack. ComfyUI starts, and the log says what does not work."""

    async def theirs(request: Any) -> None: ...

    comfy.server.routes.post("/pez/finish")(theirs)
    start(comfy, copy)
    assert comfy.server.routes.posts["/pez/finish"] is theirs
    first, second = (record.getMessage() for record in caplog.records)
    assert theirs.__module__ in first and "Use best so far" in first
    assert "installed twice" in second
    assert comfy.learn(image_of(example())).result[0]


@pytest.mark.parametrize("prefix", ["", "/api"])
def test_aiohttp_takes_the_routes_of_two_copies(comfy: Comfy, copy: Comfy, prefix: str) -> None:
    """ComfyUI adds every route of the table twice, once with the prefix."""
    web = pytest.importorskip("aiohttp.web")
    utilities = pytest.importorskip("aiohttp.test_utils")
    comfy.server.routes = web.RouteTableDef()
    start(comfy, copy)

    async def answer() -> Any:
        app = web.Application()
        under = web.RouteTableDef()
        for route in comfy.server.routes:
            under.route(route.method, "/api" + route.path)(route.handler, **route.kwargs)
        app.add_routes(under)
        app.add_routes(comfy.server.routes)
        async with utilities.TestClient(utilities.TestServer(app)) as client:
            reply = await client.post(f"{prefix}/pez/finish", json=BODY)
            return reply.status, await reply.json()

    assert asyncio.run(answer()) == (200, {"finished": False})
