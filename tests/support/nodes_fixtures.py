"""The fixture `comfy`, for modules with `pytest_plugins = ("tests.support.nodes_fixtures",)`."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.nodes_support import NODE, PROMPT, ROOT, Comfy, Loaded, load, unload


@pytest.fixture(scope="session")
def loaded() -> Iterator[Loaded]:
    loaded = load(ROOT)
    yield loaded
    unload(loaded)


@pytest.fixture
def comfy(loaded: Loaded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Comfy]:
    """A ComfyUI as it starts: nothing loaded, nothing running, empty folders."""
    for name, module in loaded.stubs.items():
        monkeypatch.setitem(sys.modules, name, module)
    comfy = Comfy(loaded)
    execution, cache = (
        comfy.stub("comfy_execution.utils"),
        comfy.module("nodes.models.memory").LRUCache,
    )
    for module, name in (("encoder", "TEXT_TOWERS"), ("vision", "IMAGE_TOWERS")):
        monkeypatch.setattr(comfy.module(f"nodes.models.{module}"), name, cache())
    known = comfy.module("nodes.models.known_files").KnownFiles()
    monkeypatch.setattr(comfy.module("nodes.models.clip_files"), "KNOWN", known)
    # What this machine has downloaded is of no account.
    monkeypatch.setattr(
        comfy.module("nodes.models.clip_files"), "is_here", lambda name: name == "demo"
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(comfy.stub("server").PromptServer, "instance", comfy.server)
    monkeypatch.setattr(execution, "context", execution.ExecutionContext(PROMPT, NODE, None))
    monkeypatch.setattr(comfy.mm, "memory", comfy.mm.memory)
    monkeypatch.setattr(comfy.mm, "interrupt_after", None)
    for collected in (comfy.bar, comfy.mm.asked, comfy.mm.current_loaded_models):
        collected.clear()
    for folder in ("text_encoders", "clip_vision", "checkpoints"):
        monkeypatch.setitem(comfy.folders, folder, tmp_path / folder)
        (tmp_path / folder).mkdir()
    yield comfy
    assert not comfy.module("nodes.run.live").finish(NODE, None), "a run has left something behind"


@pytest.fixture
def aiohttp(monkeypatch: pytest.MonkeyPatch) -> None:
    """aiohttp comes with ComfyUI: where it is not, its answers are stood in for."""
    if importlib.util.find_spec("aiohttp") is None:

        def json_response(data: Any, status: int = 200) -> SimpleNamespace:
            return SimpleNamespace(status=status, text=json.dumps(data))

        web = SimpleNamespace(json_response=json_response)
        monkeypatch.setitem(sys.modules, "aiohttp", SimpleNamespace(web=web))


@pytest.fixture
def route(comfy: Comfy, aiohttp: None) -> Any:
    """Posts a body to one of the pack's routes; status and answer."""
    comfy.module("nodes.routes").add_routes()

    def post(body: str, path: str = "/pez/finish") -> tuple[int, Any]:
        async def read() -> Any:
            return json.loads(body)

        answer = asyncio.run(comfy.server.routes.posts[path](SimpleNamespace(json=read)))
        return answer.status, json.loads(answer.text)

    return post
