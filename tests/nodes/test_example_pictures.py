"""The pictures of the example workflows reach ComfyUI's input folder when one is opened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from tests.support.nodes_support import ROOT, Comfy

pytest_plugins = ("tests.support.nodes_fixtures",)


@pytest.fixture
def inputs(comfy: Comfy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "input"
    folder.mkdir()
    monkeypatch.setitem(comfy.folders, "input", folder)
    return folder


def ask(route: Any, *names: str) -> Any:
    return route(json.dumps({"pictures": names}), "/pez/pictures")


def test_wanted_pictures_are_copied_once(route: Any, inputs: Path) -> None:
    names = ["pez/penguin.png", "pez/neon/bird.png"]
    assert ask(route, *names) == (200, {"pictures": names})
    for name in names:
        assert (inputs / name).read_bytes() == (ROOT / "examples" / name[4:]).read_bytes()
    (inputs / names[0]).write_bytes(b"the user's own")
    assert ask(route, *names)[1] == {"pictures": names}
    assert (inputs / names[0]).read_bytes() == b"the user's own"


def test_only_our_pictures_are_copied(route: Any, inputs: Path) -> None:
    names = ["penguin.png", "pez/README.md", "pez/../penguin.png", "pez/no.png", "/etc/hosts", ""]
    assert ask(route, *names) == (200, {"pictures": []})
    assert list(inputs.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_no_error(route: Any, inputs: Path) -> None:
    (inputs / "pez").write_text("in the way")
    assert ask(route, "pez/penguin.png") == (200, {"pictures": []})


def test_another_body_is_refused(comfy: Comfy, route: Any) -> None:
    assert route('{"pictures": 3}', "/pez/pictures")[0] == 400


def test_a_full_disk_leaves_no_half_of_a_picture(
    comfy: Comfy, route: Any, inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_up(picture: BinaryIO, target: BinaryIO) -> None:
        target.write(picture.read(100))
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(comfy.module("nodes.examples").shutil, "copyfileobj", fill_up)
        assert ask(route, "pez/penguin.png") == (200, {"pictures": []})
    assert list((inputs / "pez").iterdir()) == []
    assert ask(route, "pez/penguin.png")[1] == {"pictures": ["pez/penguin.png"]}
