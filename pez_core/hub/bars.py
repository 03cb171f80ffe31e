"""Loading without the bars that diffusers and transformers draw: a line of `pez` is its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def without_bars(*libraries: Any) -> Iterator[None]:
    """libraries: the modules diffusers and transformers, either or both."""
    loggings = [library.utils.logging for library in libraries]
    drawn = [one for one in loggings if one.is_progress_bar_enabled()]
    for one in drawn:
        one.disable_progress_bar()
    try:
        yield
    finally:
        for one in drawn:
            one.enable_progress_bar()
