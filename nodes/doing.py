"""What a node is doing before its first words, for its panel.

Whoever starts something long says so. The node that runs hears it (`run.live.announced`), so that
nobody has to pass it on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from comfy.utils import ProgressBar

from .interrupt import INTERVAL, check_cancelled

Listener = Callable[[dict[str, Any]], None]
LISTENER: ContextVar[Listener | None] = ContextVar("pez_listener", default=None)


def say(doing: str, **facts: Any) -> None:
    """doing: "download" (model, percent), "look", "load" (model), "guard" or "paint". Raises
    ComfyUI's interrupt when the user has cancelled."""
    check_cancelled()
    listener = LISTENER.get()
    if listener is not None:
        listener({"doing": doing, **facts})


class Downloading:
    """Called during a download of a model: moves the node's bar, and lets ComfyUI's cancel end
    it."""

    def __init__(self, model: str) -> None:
        self._model, self._last = model, -float("inf")

    def __call__(self, done: int, total: int) -> None:
        check_cancelled()
        now = time.monotonic()
        if total and now - self._last >= INTERVAL:
            self._last = now
            ProgressBar(total).update_absolute(done, total)
            say("download", model=self._model, percent=100 * done // total)
