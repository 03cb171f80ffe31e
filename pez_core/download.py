"""Weights from the hub that open_clip names, or from where a user has put them by hand."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

from .errors import ModelError


def placed_by_hand(architecture: str, tag: str) -> Path:
    """Where a downloaded file of open_clip's NAME:TAG may be put by hand; it is used before any
    download."""
    folder = os.environ.get("PEZ_MODELS") or "~/.cache/pez"
    return Path(os.path.expanduser(folder)) / f"{architecture}-{tag}.safetensors"


def download(name: str, trained: dict[str, str], by_hand: Path) -> Path:
    """The safetensors file of open_clip's entry, from the hub's cache or the hub."""
    from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache

    repository, _, file = trained.get("hf_hub", "").rpartition("/")
    file = f"{Path(file).stem}.safetensors" if file else "open_clip_model.safetensors"
    if not repository:
        raise ModelError(
            f"{name}: open_clip has it only as a pickle, which is not read: convert it to "
            f"safetensors and put it at {by_hand}"
        )
    try:
        cached = try_to_load_from_cache(repository, file)
        if isinstance(cached, str):
            return Path(cached)
        if not constants.HF_HUB_OFFLINE:
            _require_network(constants.ENDPOINT)
        return Path(hf_hub_download(repository, file))
    except Exception as error:  # the hub raises kinds of its own for no network, space or rights
        reason = (str(error).strip() or repr(error)).splitlines()[0]
        raise ModelError(
            f"{name} is not on this machine and could not be downloaded ({reason}). By hand: put "
            f"the file {file} of {repository} at {by_hand}"
        ) from error


def _require_network(address: str) -> None:
    """Raises OSError at once where the hub's own client would try again and again for a minute."""
    with suppress(urllib.error.HTTPError):  # an answer of any kind is an answer
        urllib.request.urlopen(address, timeout=10).close()
