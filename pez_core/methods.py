"""Ways to learn as tables name them: OPTIMIZER[,NAME=NUMBER]..., such as "fluentprompt,lr=1"."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .config import OPTIMIZERS
from .errors import ConfigError


def read_method(
    name: str, numbers: Mapping[str, Callable[[str], float]]
) -> tuple[str, dict[str, float]]:
    """The optimizer, and the settings that it is to have of its own. numbers: what may be named,
    and what reads it.

    Raises ConfigError for what is no such name.
    """
    optimizer, *changes = name.split(",")
    found: dict[str, float] = {}
    try:
        for change in changes:
            key, _, number = change.partition("=")
            if key in found:
                raise ValueError(f"{key} twice")
            found[key] = numbers[key](number)
    except (KeyError, ValueError):
        optimizer = ""
    if optimizer not in OPTIMIZERS:
        raise ConfigError(
            f"{name!r} is no method: write OPTIMIZER[,NAME=NUMBER]..., such as pez,lr=0.3; "
            f"optimizers are {', '.join(OPTIMIZERS)}, names {', '.join(numbers)}"
        )
    return optimizer, found
