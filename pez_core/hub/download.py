"""Weights that open_clip lists, from the hub or from a place where a user has put them by hand."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import ModelError

Progress = Callable[[int, int], None]  # bytes downloaded, bytes in total (0: unknown)


def placed_by_hand(architecture: str, tag: str) -> Path:
    """The path where a user may put the file of open_clip's NAME:TAG by hand. It is preferred to a
    download."""
    folder = os.environ.get("PEZ_MODELS") or "~/.cache/pez"
    return Path(os.path.expanduser(folder)) / f"{architecture}-{tag}.safetensors"


def download(
    name: str, trained: dict[str, str], by_hand: Path, progress: Progress | None = None
) -> Path:
    """The path of the safetensors file of an open_clip entry, from the hub's cache or the hub.

    progress: called with the bytes downloaded and the bytes in total. An exception that it raises
    ends the download.
    """
    from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache

    repository, _, file = trained.get("hf_hub", "").rpartition("/")
    file = f"{Path(file).stem}.safetensors" if file else "open_clip_model.safetensors"
    if not repository:
        raise ModelError(
            f"{name}: open_clip lists only a pickle of it, and pickles are not read: convert it to "
            f"safetensors and put it at {by_hand}"
        )
    raised: list[BaseException] = []
    try:
        cached = try_to_load_from_cache(repository, file)
        if isinstance(cached, str):
            return Path(cached)
        if not constants.HF_HUB_OFFLINE:
            _require_network(constants.ENDPOINT)
        if progress is None:
            return Path(hf_hub_download(repository, file))
        return Path(hf_hub_download(repository, file, tqdm_class=_bar(progress, raised)))
    except Exception as error:  # the hub raises its own types for no network, space or permission
        if raised:
            raise raised[0] from None
        reason = (str(error).strip() or repr(error)).splitlines()[0]
        raise ModelError(
            f"{name} is not on this machine and could not be downloaded ({reason}). By hand: put "
            f"the file {file} of https://huggingface.co/{repository} at {by_hand}. The model demo "
            "needs no download"
        ) from error


def hub_answers() -> bool:
    """Whether the hub is reachable, without its client's long retries: see `_require_network`."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    try:
        _require_network(constants.ENDPOINT)
    except OSError:
        return False
    return True


def _bar(progress: Progress, raised: list[BaseException]) -> Any:
    """A tqdm class that calls `progress` and keeps what it raises: the hub would wrap the
    exception."""
    from tqdm.auto import tqdm

    class Bar(tqdm):  # type: ignore[misc,type-arg,unused-ignore]
        def update(self, n: float | None = 1) -> bool | None:
            shown: bool | None = super().update(n)
            if self.disable:  # the hub disables it without a terminal; it then does not count
                self.n += n or 0
            try:
                progress(int(self.n), int(self.total or 0))
            except BaseException as error:
                raised.append(error)
                raise
            return shown

    return Bar


def _require_network(address: str) -> None:
    """Raise OSError at once without a network: the hub's own client would retry for a minute."""
    with suppress(urllib.error.HTTPError):  # any answer shows that there is a network
        urllib.request.urlopen(address, timeout=10).close()
