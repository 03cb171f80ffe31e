"""Shared by the benchmarks: a description of the machine, paired bootstrap, memory, results on
disk."""

from __future__ import annotations

import io
import json
import lzma
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from pez_core.evaluation.intervals import DRAWS, mean_interval

RESULTS = Path(__file__).parent / "results"
LARGE = 100_000  # bytes of a result


def machine(threads: int, device: str = "cpu", processes: int = 1) -> str:
    """The processor or GPU and the versions, for the heading of a table. threads: of each
    process."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].split(":")[1].strip() if lines else name
    where = f"{threads} thread{'' if threads == 1 else 's'} of {name}"
    where = torch.cuda.get_device_name() if device == "cuda" else where
    if processes > 1:
        where = f"{processes} processes, each with {where}"
    return f"{where}, torch {torch.__version__.split('+')[0]}, Python {platform.python_version()}"


def paired_bootstrap(
    difference: np.ndarray, draws: int = DRAWS, seed: int = 0
) -> tuple[float, float, float]:
    """Mean of paired differences (N,) and its 95 % interval, resampling the pairs."""
    return mean_interval(difference, draws, seed)


class PeakMemory:
    """The peak of memory above the memory at the start, in MB. But: Linux and CUDA only."""

    def __init__(self, device: str = "cpu") -> None:
        self._cuda = device == "cuda"
        self.megabytes = float("nan")

    def __enter__(self) -> PeakMemory:
        if self._cuda:
            torch.cuda.reset_peak_memory_stats()
        else:
            Path("/proc/self/clear_refs").write_text("5")  # resets the peak that VmHWM reports
        self._start = allocated("cuda" if self._cuda else "cpu")
        return self

    def __exit__(self, *_: object) -> None:
        peak = torch.cuda.max_memory_allocated() / 1e6 if self._cuda else _status("VmHWM")
        self.megabytes = peak - self._start


def allocated(device: str = "cpu") -> float:
    """The memory in use, in MB: of tensors on a GPU, resident on a CPU."""
    return torch.cuda.memory_allocated() / 1e6 if device == "cuda" else _status("VmRSS")


def _status(key: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return float(line.split()[1]) / 1000
    return float("nan")


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def save_plot(figure: Any, path: Path, dpi: int = 130) -> None:
    """Saves a figure of matplotlib as a PNG of few colours, a quarter of its usual size."""
    data = io.BytesIO()
    figure.savefig(data, dpi=dpi)
    with Image.open(data) as picture:
        few = picture.convert("RGB").quantize(24, dither=Image.Dither.NONE)
        few.save(path, "PNG", optimize=True)


def saved(name: str) -> dict[str, Any]:
    """The result that `save` has written; empty if there is none."""
    plain, packed = RESULTS / f"{name}.json", RESULTS / f"{name}.json.xz"
    if packed.is_file():
        found = json.loads(lzma.decompress(packed.read_bytes()))
    else:
        found = json.loads(plain.read_text(encoding="utf-8")) if plain.is_file() else {}
    return dict(found)


def save(name: str, result: dict[str, Any]) -> Path:
    """Write a result as JSON to the folder of results, its numbers with six digits. A large one is
    packed: `xz -d` unpacks it."""
    RESULTS.mkdir(exist_ok=True)
    plain, packed = RESULTS / f"{name}.json", RESULTS / f"{name}.json.xz"
    short = json.loads(json.dumps(result), parse_float=lambda text: float(f"{float(text):.6g}"))
    data = (json.dumps(short, indent=1) + "\n").encode()
    path, other = (packed, plain) if len(data) > LARGE else (plain, packed)
    path.write_bytes(lzma.compress(data) if path is packed else data)
    other.unlink(missing_ok=True)
    return path
