"""A ComfyUI with this pack, once a session, and a client of it for every test."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.comfyui.checkpoint import write_models
from tests.comfyui.client import Client, connected
from tests.comfyui.server import Server, running_server, tail


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The checkout that COMFYUI_PATH names, or a skipped test."""
    given = os.environ.get("COMFYUI_PATH")
    if not given:
        pytest.skip("COMFYUI_PATH does not name a ComfyUI checkout")
    path = Path(given).resolve()
    assert (path / "main.py").is_file(), f"COMFYUI_PATH={given} is not a ComfyUI checkout"
    return path


@pytest.fixture(scope="session")
def models(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the model files; 1.3 GB, hence not kept."""
    folder = tmp_path_factory.mktemp("models")
    write_models(checkout, folder)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def server(
    checkout: Path, models: Path, root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    base = tmp_path_factory.mktemp("comfyui")
    with running_server(checkout, root, models, base) as running:
        yield running


@pytest.fixture
def client(server: Server, request: pytest.FixtureRequest) -> Iterator[Client]:
    """A client; what the server logs during a failing test is shown with it."""
    start = server.log.stat().st_size
    with connected(server.url) as client:
        yield client
        request.node.add_report_section("teardown", "ComfyUI's log", tail(server.log, start))
        # A test that fails before it ends its endless run would make every later one wait.
        client.end_all()


@pytest.fixture(scope="session")
def png() -> bytes:
    """An upload: 224 pixels each way, the size of CLIP's input, so that nobody has to resize."""
    picture = Image.radial_gradient("L").resize((224, 224)).convert("RGB")
    content = io.BytesIO()
    Image.blend(picture, Image.new("RGB", picture.size, "orange"), 0.5).save(content, "PNG")
    return content.getvalue()
