"""Devices and precisions by the names that users give. The names alone do not need torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ConfigError

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = ("auto", "float32", "float16", "bfloat16")


def find_device(name: str) -> torch.device:
    """The device of a name in `DEVICES`; "auto" is the fastest available one.

    Raises ConfigError for an unknown name, and for a device that this torch cannot use.
    """
    import torch

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


def find_dtype(name: str, device: torch.device) -> torch.dtype:
    """The precision of a name in `DTYPES`; "auto" is the fastest one on the device.

    Raises ConfigError for an unknown name.
    """
    import torch

    from .precision import best_dtype

    if name not in DTYPES:
        raise ConfigError(f"unknown dtype {name!r}: choose one of {', '.join(DTYPES)}")
    dtype: torch.dtype = best_dtype(device) if name == "auto" else getattr(torch, name)
    return dtype
