"""The pack in two folders of custom_nodes, installed by hand and by a manager."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.comfyui.client import Client, connected
from tests.comfyui.graphs import learn, picture
from tests.comfyui.server import Server, running_server, tail
from tests.support.payloads import assert_learned

pytestmark = pytest.mark.comfyui

FOLDERS = ("pez-prompts", "pez-prompts-main")


@pytest.fixture(scope="module")
def twice(checkout: Path, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own, without model files."""
    base = tmp_path_factory.mktemp("twice")
    with running_server(checkout, root, base / "models", base, FOLDERS) as running:
        yield running


@pytest.fixture
def tab(twice: Server) -> Iterator[Client]:
    with connected(twice.url) as client:
        yield client
        client.end_all()


def test_comfyui_starts_and_its_log_names_both_folders(twice: Server) -> None:
    lines = tail(twice.log, most=10**7).splitlines()
    assert not [line for line in lines if "comfy_entrypoint" in line or "(IMPORT FAILED)" in line]
    (warning,) = (line for line in lines if "installed twice" in line)
    folders = [str(twice.base / "custom_nodes" / name) for name in FOLDERS]
    assert all(f"{folder} " in f"{warning} " for folder in folders)


def test_the_nodes_are_those_of_one_copy(tab: Client) -> None:
    """And the page gets both front ends."""
    found = {
        info["python_module"] for name, info in tab.get("/object_info").items() if "PEZ_" in name
    }
    assert len(found) == 1 and found < {f"custom_nodes.{name}" for name in FOLDERS}
    scripts = [path for path in tab.get("/extensions") if path.endswith("/js/pez.js")]
    assert set(scripts) == {f"/extensions/{name}/js/pez.js" for name in FOLDERS}


@pytest.mark.parametrize("route", ["/pez/finish", "/api/pez/finish"])
def test_use_best_so_far_ends_the_run(tab: Client, route: str) -> None:
    learner = learn(["picture", 0], preset="paper", steps=100_000, seed=len(route))
    prompt_id = tab.queue({"picture": picture(), "learner": learner})
    tab.wait_for(lambda m: m.type == "pez.progress" and m.data["prompt_id"] == prompt_id, 120)
    body = {"node": "learner", "prompt_id": prompt_id}
    assert tab.post(route, body) == {"finished": True}
    run = tab.finish(prompt_id)
    assert run.succeeded, run.ending
    assert assert_learned(run.output("learner"))["stopped"] == "user"
    assert tab.post(route, body) == {"finished": False}
