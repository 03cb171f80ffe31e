"""The live line of a running search: a bar, the best similarity and the best text so far, on
stderr."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..errors import printable

if TYPE_CHECKING:
    from ..painter.ranking import Ranking
    from ..search.progress import StepInfo

SECONDS_BETWEEN = 0.1  # no faster than a person reads
BAR = "{bar:16} {desc}"  # in tqdm's format


def fitted(line: str) -> str:
    """A line cut to the width of the terminal next to the bar."""
    room = shutil.get_terminal_size().columns - 18  # the bar and a space
    return line if len(line) <= room else line[: room - 1] + "…"


class Progress:
    """A tqdm bar if stderr is a terminal, else nothing."""

    def __init__(self, seconds: float | None) -> None:
        from tqdm import tqdm

        self._seconds = seconds
        self._bar = tqdm(total=1.0, disable=None, leave=False, bar_format=BAR)
        self._last, self._began = 0.0, time.monotonic()

    def show(self, info: StepInfo) -> None:
        found = f"{info.best.similarity:.4f} {info.best.text}" if info.best else "looking"
        self.say(info.step / info.total, info.seconds, f"{info.phase:6} {found}")

    def show_ranking(self, found: Ranking, rounds: int, doing: str = "rank  ") -> None:
        """rounds: at most."""
        best = found.prompts[0]
        line = f"{doing} {best.error:.3f} {printable(best.prompt)}"
        self.say(found.rounds / rounds, time.monotonic() - self._began, line)

    def say(self, done: float, seconds: float, line: str) -> None:
        """A line next to the bar. done: the share of the steps; seconds: since the start."""
        now = time.monotonic()
        if self._bar.disable or now - self._last < SECONDS_BETWEEN:
            return
        self._last = now
        if self._seconds is not None:
            done = max(done, seconds / self._seconds)
        self._bar.n = min(1.0, done)
        self._bar.set_description_str(fitted(f"{seconds:5.1f}s {line}"), refresh=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()


@contextmanager
def interruptible() -> Iterator[list[bool]]:
    """A list that the first Ctrl-C fills, so that the search ends; the second raises
    KeyboardInterrupt."""
    pressed: list[bool] = []

    def note(signum: int, frame: Any) -> None:
        pressed.append(True)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)
