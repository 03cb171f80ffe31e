"""ComfyUI's cancel button, and downloads that it can end."""

from __future__ import annotations

import time

import comfy.model_management as mm
from comfy.utils import ProgressBar

INTERVAL = 0.35  # seconds between two messages about the progress


def check_cancelled() -> None:
    """Raises ComfyUI's interrupt when the user has cancelled."""
    mm.throw_exception_if_processing_interrupted()


class Downloading:
    """Called during a download: moves the node's bar, and lets ComfyUI's cancel end it."""

    def __init__(self) -> None:
        self._last = -float("inf")

    def __call__(self, done: int, total: int) -> None:
        check_cancelled()
        now = time.monotonic()
        if total and now - self._last >= INTERVAL:
            self._last = now
            ProgressBar(total).update_absolute(done, total)
