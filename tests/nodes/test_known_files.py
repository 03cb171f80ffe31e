"""What is remembered of ComfyUI's files from one start to the next, counted in files read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.namings import State, hugging_face_text
from tests.support.nodes_graph import SMALL
from tests.support.nodes_support import Comfy

pytest_plugins = ("tests.support.nodes_fixtures",)

MEMORY = "pez/clip_files.json"
GOOD, OTHER = "text_encoders/clip.safetensors", "checkpoints/unet.safetensors"


@pytest.fixture(scope="module")
def state() -> State:
    return hugging_face_text(SMALL).state


@pytest.fixture
def memory(comfy: Comfy, state: State, tmp_path: Path) -> Path:
    """The file of the memory, with a usable file and another in ComfyUI's folders."""
    comfy.put(GOOD, state)
    comfy.put(OTHER, {"model.diffusion_model.x": torch.zeros(2, 2)})
    return tmp_path / "cache" / MEMORY


@pytest.fixture
def start(comfy: Comfy, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Starts ComfyUI anew, makes the list of models, and tells how many headers were parsed for it.
    No file may be opened a second time."""
    files = comfy.module("nodes.models.clip_files")
    weights = comfy.module("pez_core.clip.weights_file")
    real_open, real_parse, opened, parsed = Path.open, weights.parse_json, list[Path](), list[int]()

    def opening(path: Path, *args: Any, **options: Any) -> Any:
        if path.suffix == ".safetensors":
            opened.append(path)
        return real_open(path, *args, **options)

    def parsing(*args: Any) -> Any:
        parsed.append(1)
        return real_parse(*args)

    monkeypatch.setattr(Path, "open", opening)
    monkeypatch.setattr(weights, "parse_json", parsing)

    def begin() -> int:
        known = comfy.module("nodes.models.known_files").KnownFiles()
        monkeypatch.setattr(files, "KNOWN", known)
        files._recognise.cache_clear()
        opened.clear()
        parsed.clear()
        assert comfy.offered() == [GOOD]
        assert len(opened) == len(set(opened)) >= len(parsed)
        return len(parsed)

    return begin


@pytest.mark.usefixtures("memory")
def test_a_header_is_parsed_once_and_then_remembered(start: Callable[[], int]) -> None:
    """Of files that are usable and of those that are not."""
    assert [start(), start(), start()] == [2, 0, 0]


def test_a_file_that_changes_is_read_anew(
    comfy: Comfy, memory: Path, state: State, start: Callable[[], int]
) -> None:
    """By its time or its size; the others are not."""
    start()
    path = comfy.put(GOOD, {**state, "more": torch.zeros(1)})
    assert start() == 1
    os.utime(path, ns=(1, 1))
    assert [start(), start()] == [1, 0]


def test_what_is_used_is_read_from_the_file(
    comfy: Comfy, memory: Path, start: Callable[[], int]
) -> None:
    """A memory that is wrong offers a file, and no more."""
    start()
    remembered = json.loads(memory.read_text())
    for entry in remembered["files"].values():
        entry[2] = 1
    memory.write_text(json.dumps(remembered))
    known = comfy.module("nodes.models.known_files").KnownFiles()
    comfy.module("nodes.models.clip_files").KNOWN = known
    assert comfy.offered() == [GOOD, OTHER]
    with pytest.raises(comfy.errors.ModelError, match="not a usable CLIP file any more"):
        comfy.mix(model=OTHER, prompt_1="a red cat")


@pytest.mark.parametrize("content", [
    b"", b"{", b"[]", b"\xff\xfe\x00", b"[" * 200_000, b'{"version": 1}', b'{"files": {}}',
    b'{"version": "VERSION", "files": []}', b'{"version": "VERSION", "files": {"PATH": true}}',
    b'{"version": "VERSION", "files": {"PATH": ["1", 2, true]}}',
    b'{"version": "VERSION", "files": {"PATH": [1, 2, 3]}}',
    b'{"version": "0.0", "files": {"PATH": [TIME, SIZE, false]}}',
])  # fmt: skip
def test_a_damaged_memory_is_forgotten(
    comfy: Comfy, memory: Path, start: Callable[[], int], content: bytes
) -> None:
    """And written again."""
    path = comfy.folders["text_encoders"] / "clip.safetensors"
    status, version = path.stat(), comfy.module("pez_core.version").__version__
    for name, value in {"VERSION": version, "PATH": path, "TIME": status.st_mtime_ns,
                        "SIZE": status.st_size}.items():  # fmt: skip
        content = content.replace(name.encode(), str(value).encode())
    memory.parent.mkdir(parents=True)
    memory.write_bytes(content)
    assert [start(), start()] == [2, 0]


def test_without_a_place_to_write_the_files_are_read(
    memory: Path, start: Callable[[], int]
) -> None:
    """A folder in the place of the file, and a file in the place of the folder."""
    memory.mkdir(parents=True)
    assert [start(), start()] == [2, 2]
    memory.rmdir()
    memory.parent.rmdir()
    memory.parent.write_text("")
    assert [start(), start()] == [2, 2]
    assert list(memory.parent.parent.iterdir()) == [memory.parent]


def test_nothing_else_is_left(memory: Path, start: Callable[[], int]) -> None:
    """The file is put in place whole, and only written where something is new."""
    start()
    before = memory.stat().st_mtime_ns
    start()
    assert memory.stat().st_mtime_ns == before
    assert list(memory.parent.iterdir()) == [memory]


def test_the_memory_is_bounded(
    comfy: Comfy, memory: Path, start: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that are no longer there go first."""
    start()
    (comfy.folders["checkpoints"] / "unet.safetensors").unlink()
    path = comfy.folders["text_encoders"] / "clip.safetensors"
    os.utime(path, ns=(1, 1))
    monkeypatch.setattr(comfy.module("nodes.models.known_files"), "MOST", 1)
    start()
    assert list(json.loads(memory.read_text())["files"]) == [str(path)]
