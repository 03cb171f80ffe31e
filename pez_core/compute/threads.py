"""How the threads of a computation wait for work."""

from __future__ import annotations

import os


def wait_passively() -> None:
    """Lets threads sleep between two operations, where OpenMP would let them spin for a while.

    A search of a small model has thousands of short operations. Several searches at once take each
    other's time if idle threads spin: four on two cores take 2.6 times as long
    (benchmarks/speed/busy.py). Results do not change. An environment variable of the user is left
    as it is.
    But: OpenMP reads it when torch is imported, so afterwards a call has no effect.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
