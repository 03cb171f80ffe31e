"""The fastest precision of each device.

Half precision halves the memory that a step reads, and is faster on hardware that multiplies it. A
CPU without such hardware computes it in software, ten times slower than float32. On such a CPU
weights may be *stored* in half precision, to save memory, and are converted for each product.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch

HALVES = (torch.float16, torch.bfloat16)
_FLAGS = {"avx512_bf16", "amx_bf16"}  # x86 processors that multiply bfloat16


def best_dtype(device: torch.device | str) -> torch.dtype:
    """The fastest precision for the steps of a search on a device. But: final scores do not use it.

    bfloat16 on GPUs and CPUs that support it in hardware, float16 on older GPUs, float32 otherwise.
    """
    kind = torch.device(device).type
    if kind == "cuda":
        # float16 is not faster, and its gradients can underflow; bfloat16 has float32's range.
        return torch.bfloat16 if torch.cuda.get_device_capability(device)[0] >= 8 else torch.float16
    return torch.bfloat16 if kind == "cpu" and cpu_has_bfloat16() else torch.float32


def arithmetic_of(device: torch.device | str, stored: torch.dtype) -> torch.dtype:
    """The precision to compute in for weights of a stored precision: float32 where half precision
    is slow."""
    slow = torch.device(device).type == "cpu" and not (
        stored == torch.bfloat16 and cpu_has_bfloat16()
    )
    return torch.float32 if stored in HALVES and slow else stored


@lru_cache(maxsize=1)
def cpu_has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 and oneDNN, which uses that, is available."""
    if not torch.backends.mkldnn.is_available():
        return False
    # Not part of torch's public interface, and absent from torch 2.4: called if they exist.
    for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        if getattr(torch.cpu, name, lambda: False)():
            return True
    return bool(_FLAGS & _processor_flags())


def _processor_flags() -> set[str]:
    """The flags of the first processor; empty if the system does not list them in this form."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return set()
    found = [line for line in lines if line.startswith("flags")]
    return set(found[0].split()) if found else set()
