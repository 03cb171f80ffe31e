"""Names of methods in comparisons: OPTIMIZER[,NAME=VALUE]..., such as "fluentprompt,lr=1"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..config import OPTIMIZERS
from ..errors import ConfigError


def read_method(
    name: str, readers: Mapping[str, Callable[[str], Any]]
) -> tuple[str, dict[str, Any]]:
    """The optimizer and the settings of a method's name.

    readers: for each setting that a name may have, the function that reads its value.
    Raises ConfigError for a name that is not a method.
    """
    optimizer, *changes = name.split(",")
    found: dict[str, Any] = {}
    try:
        for change in changes:
            key, _, value = change.partition("=")
            if key in found:
                raise ValueError(f"{key} twice")
            found[key] = readers[key](value)
    except (KeyError, ValueError):
        optimizer = ""
    if optimizer not in OPTIMIZERS:
        raise ConfigError(
            f"{name[:80]!r} is not a method: write OPTIMIZER[,NAME=VALUE]..., such as pez,lr=0.3; "
            f"optimizers are {', '.join(OPTIMIZERS)}, names {', '.join(readers)}"
        )
    return optimizer, found
