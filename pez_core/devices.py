"""Devices and precisions by the names that a user gives them."""

from __future__ import annotations

import torch

from .errors import ConfigError

DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def find_device(name: str) -> torch.device:
    """The device of one of `DEVICES`; "auto" is the fastest one here.

    Raises ConfigError for another name, and when this torch cannot use it.
    """
    if name not in DEVICES:
        raise ConfigError(f"unknown device {name!r}: choose one of {', '.join(DEVICES)}")
    usable = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if usable[kind])
    if not usable[name]:
        raise ConfigError(f"this torch cannot use the device {name}: choose --device auto or cpu")
    return torch.device(name)
