"""How every node runs: its inputs are checked, its page hears what it is doing, and its errors name
no folder of this machine."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, get_type_hints

from ...pez_core.errors import PezError
from ..values import require_types
from .live import announced

# A path of this machine, but not the address of a page: only its last part is of interest.
_PATH = re.compile(r"(?<![\w:/\\])(?:[A-Za-z]:)?[/\\](?:[^\s/\\:'\"]+[/\\])+([^\s/\\:'\"]+)")


def node_run(**more: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator for `execute` that compares its arguments with its annotations. more: the types
    of arguments that have no annotation of their own.

    The function then raises ConfigError, which names the input, for a value of another type. The
    messages of all its errors of this pack are without the folders of this machine.
    """

    def decorate(execute: Callable[..., Any]) -> Callable[..., Any]:
        hints = {**get_type_hints(execute), **more}

        @functools.wraps(execute)
        def running(cls: Any, **given: Any) -> Any:
            require_types(given, hints)
            with announced(cls.hidden.unique_id):
                try:
                    return execute(cls, **given)
                except PezError as error:
                    message = without_folders(str(error))
                    if message == str(error):
                        raise
                    raise type(error)(message) from error

        return running

    return decorate


def without_folders(message: str) -> str:
    """A message with the names of files instead of their paths."""
    return _PATH.sub(r"\1", message)
