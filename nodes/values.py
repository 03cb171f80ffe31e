"""Values that reach a node over a connection.

ComfyUI checks the values of widgets. It does not check those of connections: another node may
return None, or an object of another type than it says.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, get_args

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


def require_types(given: Mapping[str, Any], hints: Mapping[str, Any]) -> None:
    """Raises ConfigError, which names the input, for a value that is not of the type of its
    hint."""
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
