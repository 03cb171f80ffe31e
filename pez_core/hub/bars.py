"""Loading without the progress bars of diffusers and transformers, which would mix with `pez`'s own
output."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def without_bars(*libraries: Any) -> Iterator[None]:
    """A context without the progress bars of libraries: the modules diffusers, transformers or
    both."""
    loggings = [library.utils.logging for library in libraries]
    enabled = [one for one in loggings if one.is_progress_bar_enabled()]
    for one in enabled:
        one.disable_progress_bar()
    try:
        yield
    finally:
        for one in enabled:
            one.enable_progress_bar()
