"""Ways to learn as tables name them: OPTIMIZER[,NAME=VALUE]..., such as "fluentprompt,lr=1"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..config import OPTIMIZERS
from ..errors import ConfigError


def read_method(
    name: str, readers: Mapping[str, Callable[[str], Any]]
) -> tuple[str, dict[str, Any]]:
    """The optimizer, and the settings that it is to have of its own. readers: what may be named,
    and what reads its value.

    Raises ConfigError for what is no such name.
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
            f"{name!r} is no method: write OPTIMIZER[,NAME=VALUE]..., such as pez,lr=0.3; "
            f"optimizers are {', '.join(OPTIMIZERS)}, names {', '.join(readers)}"
        )
    return optimizer, found
