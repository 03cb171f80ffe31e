"""The threads of a computation: how many, and how they wait for work.

A search of a small model has thousands of short operations. Between two of them OpenMP lets idle
threads spin, so that on a busy machine they take the time of the others, their own search's too
(benchmarks/speed/busy.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

# Models narrower than this are small. Measured on a quiet machine: a second thread shortens a
# search by a fifth at a width of 128 (the embedded model), and by half at 512 (ViT-B-32).
SMALL_WIDTH = 256

_lock = Lock()
_searches = 0  # of small models, running in this process
_usual = 1  # the threads of the process, found by the first of them


def wait_passively() -> None:
    """Lets threads sleep between two operations, where OpenMP would let them spin for a while.

    Results do not change. An environment variable of the user is left as it is.
    But: OpenMP reads it when torch is imported, so afterwards a call has no effect.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@contextmanager
def one_thread_if_small(width: int) -> Iterator[None]:
    """Runs a small model on one thread, unless idle threads sleep: then more do no harm.

    width: of the model, in embedding dimensions. Searches may run at once in threads of Python's.
    But: a thread that calls torch for the first time meanwhile keeps one thread.
    """
    global _searches, _usual
    if width >= SMALL_WIDTH or os.environ.get("OMP_WAIT_POLICY", "").upper() == "PASSIVE":
        yield
        return
    import torch  # not above: `wait_passively` comes before it

    with _lock:
        found = torch.get_num_threads()  # always called: the first call in a thread sets its number
        _usual = _usual if _searches else found
        _searches += 1
        torch.set_num_threads(1)  # of this thread and of those to come
    try:
        yield
    finally:
        with _lock:
            _searches -= 1
            torch.set_num_threads(_usual)
