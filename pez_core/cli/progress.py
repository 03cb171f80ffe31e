"""The live line of a running search: a bar, the best similarity and the best text so far, on
stderr."""

from __future__ import annotations

import shutil
import time
from types import TracebackType

from ..search import StepInfo

SECONDS_BETWEEN = 0.1  # no faster than a person reads
BAR = "{bar:16} {desc}"  # in tqdm's format


def fitted(line: str) -> str:
    """A line cut to what the terminal has room for beside the bar."""
    room = shutil.get_terminal_size().columns - 18  # the bar and a space
    return line if len(line) <= room else line[: room - 1] + "…"


class Progress:
    """A tqdm bar where stderr is a terminal, nothing elsewhere."""

    def __init__(self, seconds: float | None) -> None:
        from tqdm import tqdm

        self._seconds = seconds
        self._bar = tqdm(total=1.0, disable=None, leave=False, bar_format=BAR)
        self._last = 0.0

    def show(self, info: StepInfo) -> None:
        now = time.monotonic()
        if self._bar.disable or now - self._last < SECONDS_BETWEEN:
            return
        self._last = now
        done = info.step / info.total
        if self._seconds is not None:
            done = max(done, info.seconds / self._seconds)
        self._bar.n = min(1.0, done)
        found = f"{info.best.similarity:.4f} {info.best.text}" if info.best else "looking"
        line = f"{info.seconds:5.1f}s {info.phase:6} {found}"
        self._bar.set_description_str(fitted(line), refresh=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.close()
