"""Values that reach a node over a connection.

ComfyUI checks the values of widgets. It does not check those of connections: another node may
return None, or an object of another type than it says.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any, get_args, get_type_hints

from torch import Tensor

from ..pez_core.errors import ConfigError
from ..pez_core.hub.configuration import shown

# What a type of an annotation accepts, as numpy's numbers too, and what users call it.
_ACCEPTED: dict[Any, tuple[type, str]] = {
    str: (str, "a text"),
    int: (Integral, "a whole number"),
    float: (Real, "a number"),
    Tensor: (Tensor, "an IMAGE"),
}


def checked(**more: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator for `execute` that compares its arguments with its annotations. more: the types
    of arguments that have no annotation of their own.

    The function then raises ConfigError, which names the input, for a value of another type.
    """

    def decorate(execute: Callable[..., Any]) -> Callable[..., Any]:
        hints = {**get_type_hints(execute), **more}

        @functools.wraps(execute)
        def checking(cls: Any, **given: Any) -> Any:
            _require(given, hints)
            return execute(cls, **given)

        return checking

    return decorate


def _require(given: Mapping[str, Any], hints: Mapping[str, Any]) -> None:
    for name, value in given.items():
        hint = hints.get(name, Any)
        options = get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
        if Any in options or (value is None and type(None) in options):
            continue
        (kind,) = (option for option in options if option is not type(None))
        accepted, meaning = _ACCEPTED.get(kind, (kind, "the output of a node of this pack"))
        if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
            raise ConfigError(
                f"`{name}` is {shown(value)}, but must be {meaning}: check the node that is "
                "connected to it"
            )


def one_of(options: Mapping[str, Any] | tuple[str, ...], value: str, name: str) -> str:
    """The value of a drop-down. name: the input's. Raises ConfigError for another value."""
    if value not in options:
        raise ConfigError(f"`{name}` is {shown(value)}, but must be one of {', '.join(options)}")
    return value
