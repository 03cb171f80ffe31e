"""Weights that open_clip lists, from the hub or from a place where a user has put them by hand."""

from __future__ import annotations

import os
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from textwrap import shorten
from typing import Any

from ..errors import ModelError, NotDownloadedError

IN_TROUBLE = (500, 502, 503, 504)  # answers after which the hub's client tries again
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
    ends the download. But: it is not called with versions of huggingface_hub before 1.2.
    """
    from huggingface_hub import constants, hf_hub_download

    repository, file = _place(trained)
    if not repository:
        raise ModelError(
            f"{name}: the installed open_clip lists only a pickle of it, and pickles are not read: "
            f"update open_clip_torch, or convert the file to safetensors and put it at {by_hand}"
        )
    raised: list[BaseException] = []
    try:
        here = cached(trained)
        if here is not None:
            return here
        _ask(repository, file)
        options = {} if progress is None else {"tqdm_class": _bar(progress, raised)}
        if "tqdm_class" not in signature(hf_hub_download).parameters:  # huggingface_hub before 1.2
            options = {}
        return Path(hf_hub_download(repository, file, **options))
    except Exception as error:  # the hub raises its own types for no network, space or permission
        if raised:
            raise raised[0] from None
        reason, source = _reason(error), f"{constants.ENDPOINT}/{repository}"
        raise NotDownloadedError(
            f"{name} is not on this machine and could not be downloaded ({reason}). By hand: put "
            f"the file {file} of {source} at {by_hand}. The model demo needs no download",
            reason, f"{file} of {source}",
        ) from error  # fmt: skip


def cached(trained: dict[str, str]) -> Path | None:
    """The safetensors file of an open_clip entry in the hub's cache, if it is there."""
    from huggingface_hub import try_to_load_from_cache

    repository, file = _place(trained)
    found = try_to_load_from_cache(repository, file) if repository else None
    return Path(found) if isinstance(found, str) else None


def _place(trained: dict[str, str]) -> tuple[str, str]:
    """The repository of an open_clip entry and the name of its safetensors file."""
    repository, _, file = trained.get("hf_hub", "").rpartition("/")
    return repository, f"{Path(file).stem}.safetensors" if file else "open_clip_model.safetensors"


def why_unreachable(repository: str, file: str) -> str | None:
    """Why the hub does not answer for a file of a repository: no network, offline mode, or trouble
    of its own. An earlier download may serve then. None if it answers, even with a refusal."""
    try:
        _ask(repository, file)
    except Exception as error:  # the transports of the hub's client raise their own types
        return _reason(error)
    return None


def _ask(repository: str, file: str) -> None:
    """Ask the hub once for a file, through its own client's session, which knows the user's
    endpoint, proxy and certificates. Raises what the session raises, and OSError for a hub in
    trouble. A refusal is an answer: `hf_hub_download` explains it.

    Without an answer, `hf_hub_download` would try again for a minute.
    """
    from huggingface_hub import constants, hf_hub_url
    from huggingface_hub.utils import get_session  # type: ignore[attr-defined,unused-ignore]

    address = hf_hub_url(repository, file)
    answer = get_session().head(address, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    if answer.status_code in IN_TROUBLE:
        raise OSError(f"{address} answers {answer.status_code}")


def _reason(error: Exception) -> str:
    """The client's message in one line. Its first line is often only a number, and one of its
    errors hides the cause behind "check your connection"."""
    if type(error).__name__ == "LocalEntryNotFoundError" and isinstance(error.__cause__, Exception):
        error = error.__cause__
    return shorten(str(error), 500, placeholder="…") or repr(error)


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
