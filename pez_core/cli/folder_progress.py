"""The live line of a run over many pictures, and its summary, on stderr."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ..batch.results import Record
from .output import write_message
from .progress import BAR, SECONDS_BETWEEN, fitted

if TYPE_CHECKING:
    from ..search.progress import StepInfo

SECONDS_BETWEEN_LINES = 60.0  # if stderr is a file


class FolderProgress:
    """A tqdm bar if stderr is a terminal, else one line per minute; a summary at the end. It
    measures the time of its `with`.

    total: pictures of the folder. before: how many were done before this run. noun: what is
    counted.
    """

    def __init__(self, total: int, before: int, noun: str = "picture") -> None:
        self._total, self._before, self._noun = total, before, noun
        self.done = self.errors = 0  # of this run
        self._best = "looking"
        self._started = self._last = 0.0
        self._bar: Any = None

    def step(self, info: StepInfo) -> None:
        """Shows a search's best prompt so far; the callback of `learn_prompts`."""
        if info.best is not None:
            self._best = f"{info.best.similarity:.4f} {info.best.text}"
        self._show()

    def record(self, record: Record) -> None:
        """Counts a picture that is done."""
        self.done += 1
        if "error" in record:
            self.errors += 1
        else:
            self._best = f"{record['similarity']:.4f} {record['prompt']}"
        self._show()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def counts(self) -> str:
        """How far the run is: `37 of 412 pictures, 0.52/s, 12:01 left, 2 errors`."""
        reached = self._before + self.done
        parts = [f"{reached} of {self._total} {self._noun}s"]
        if self.done:
            left = round((self._total - reached) * self.seconds / self.done)
            parts += [f"{self.done / self.seconds:.3g}/s", f"{_clock(left)} left"]
        if self.errors:
            parts.append(counted(self.errors, "error"))
        return ", ".join(parts)

    def _summary(self) -> str:
        speed = f" ({self.done / self.seconds:.3g}/s)" if self.done else ""
        done = counted(self.done, self._noun)
        text = f"{done} in {self.seconds:.1f} s{speed}, {counted(self.errors, 'error')}"
        left = self._total - self._before - self.done
        return f"{text}; {left} left: the same command continues" if left else text

    def _show(self) -> None:
        now = time.monotonic()
        pause = SECONDS_BETWEEN_LINES if self._bar.disable else SECONDS_BETWEEN
        if now - self._last < pause:
            return
        self._last = now
        if self._bar.disable:
            write_message(f"pez: {self.counts()}")
        else:
            self._draw()

    def _draw(self) -> None:
        self._bar.n = self._before + self.done
        line = f"{self.counts()}  {self._best}"
        self._bar.set_description_str(fitted(line), refresh=True)

    def __enter__(self) -> FolderProgress:
        """Starts the clock and draws the line."""
        from tqdm import tqdm

        self._bar = tqdm(total=self._total, disable=None, leave=False, bar_format=BAR)
        self._started = self._last = time.monotonic()
        if not self._bar.disable:
            self._draw()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()
        write_message(f"pez: {self._summary()}")


def counted(count: int, noun: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _clock(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
