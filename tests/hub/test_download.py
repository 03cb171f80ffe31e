"""Weights from the hub: a download reports its progress and can be ended."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest

from pez_core.errors import ModelError
from pez_core.hub.download import download

TRAINED = {"hf_hub": "somebody/some-model/"}


class Cancelled(Exception):
    pass


@pytest.fixture(params=[True, False], ids=["terminal", "no terminal"])
def terminal(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    """A hub that sends a file of 100 bytes in tens, and wraps errors as the real one may."""

    def hf_hub_download(repository: str, file: str, tqdm_class: Any) -> str:
        with tqdm_class(total=100, disable=not terminal) as bar:
            for _ in range(10):
                try:
                    bar.update(10)
                except Exception as error:
                    raise RuntimeError("the transfer failed") from error
        return f"/cache/{repository}/{file}"

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", hf_hub_download)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_: None)
    session = SimpleNamespace(head=lambda *_, **__: SimpleNamespace(status_code=200))
    monkeypatch.setattr("huggingface_hub.utils.get_session", lambda: session)


def test_a_download_reports_its_progress(hub: None, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    path = download("some", TRAINED, tmp_path / "x", lambda *now: told.append(now))
    assert path == Path("/cache/somebody/some-model/open_clip_model.safetensors")
    assert told == [(done, 100) for done in range(10, 101, 10)]


def test_what_progress_raises_ends_the_download(hub: None, tmp_path: Path) -> None:
    """Unchanged: ComfyUI's interrupt is not a failed download."""

    def progress(done: int, total: int) -> None:
        if done == 30:
            raise Cancelled

    with pytest.raises(Cancelled):
        download("some", TRAINED, tmp_path / "x", progress)


def test_a_client_without_progress_downloads(
    hub: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """huggingface_hub before 1.2, which transformers 4 needs."""
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda repository, file: f"/{file}")
    path = download("some", TRAINED, tmp_path / "x", lambda *_: None)
    assert path == Path("/open_clip_model.safetensors")


def test_a_failed_download_says_what_to_do(
    hub: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, tqdm_class: Any) -> str:
        raise OSError("no space left on device")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fails)
    with pytest.raises(
        ModelError, match=r"no space left.*By hand: put the file .* at .*x\. .*demo"
    ):
        download("some", TRAINED, tmp_path / "x", lambda *_: None)
