"""Safetensors files, read one tensor at a time.

The header is read and checked once, when a file is opened; a tensor is then one read at a known
place. safetensors' own `safe_open` maps the file into memory, which counts as the process's own
memory while it is open, 2 GB for a ViT-H-14 whose tensors are copied anyway; and it reads the
header again each time it is opened.

Weights in float8 are returned in float32, with their scales applied: see `scaled_weights`.
Pickle files are refused: loading one runs its code.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from ..errors import WeightsError, printable
from ..hub.configuration import parse_json, shown
from .scaled_weights import WAY_OUT, Scales

# Headers take 0.1 to 0.4 MB, and up to some megabytes with a workflow in their metadata.
MOST_HEADER = 25_000_000
_MOST_DIMENSIONS = 32
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
# The bits of a value of every type, and the type in torch. Without one it is not read.
_TYPES: dict[str, tuple[int, torch.dtype | None]] = {
    "BOOL": (8, torch.bool), "U8": (8, torch.uint8), "I8": (8, torch.int8),
    "I16": (16, torch.int16), "I32": (32, torch.int32), "I64": (64, torch.int64),
    "F16": (16, torch.float16), "BF16": (16, torch.bfloat16),
    "F32": (32, torch.float32), "F64": (64, torch.float64),
    "F8_E4M3": (8, torch.float8_e4m3fn), "F8_E5M2": (8, torch.float8_e5m2),
    "U16": (16, None), "U32": (32, None), "U64": (64, None), "C64": (64, None),
    "F8_E8M0": (8, None), "F8_E4M3FNUZ": (8, None), "F8_E5M2FNUZ": (8, None),
    "F6_E2M3": (6, None), "F6_E3M2": (6, None), "F4": (4, None),
}  # fmt: skip


@dataclass(frozen=True)
class _Place:
    """A tensor in a file. begin: its first byte."""

    kind: str
    shape: tuple[int, ...]
    begin: int


class WeightsFile(Mapping[str, Tensor]):
    """A safetensors file as a mapping that reads each tensor on access.

    Raises WeightsError for a missing, truncated or damaged file and for a pickle; and on access for
    a tensor of a type that is not read, or quantised in an unknown way.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not os.path.isfile(path):
            raise WeightsError(f"{self.path}: no such file")
        try:
            with self.path.open("rb") as file:
                self._places = _read_header(file)
        except (OSError, ValueError) as error:
            raise WeightsError(self._unreadable(error)) from error
        self._scales = Scales(self._places)

    def __getitem__(self, key: str) -> Tensor:
        if key not in self:
            raise KeyError(key)
        return self._scales.apply(key, self._read, f"{self.path}: {printable(key)}")

    def __contains__(self, key: object) -> bool:
        return key in self._places and key not in self._scales.hidden

    def __iter__(self) -> Iterator[str]:
        return (key for key in self._places if key not in self._scales.hidden)

    def __len__(self) -> int:
        return len(self._places) - len(self._scales.hidden)

    def shape(self, key: str) -> tuple[int, ...]:
        """The shape of a tensor, from the file's header alone."""
        return self._places[key].shape

    @property
    def total(self) -> int:
        """How many values all tensors have together."""
        return sum(prod(place.shape) for place in self._places.values())

    def _read(self, key: str) -> Tensor:
        """A tensor as it is stored."""
        place = self._places[key]
        _, dtype = _TYPES.get(place.kind, (0, None))
        if dtype is None:
            raise WeightsError(
                f"{self.path}: {printable(key)} is stored as {shown(place.kind)}, which is not "
                f"read: {WAY_OUT}"
            )
        tensor = torch.empty(place.shape, dtype=dtype)
        if not tensor.numel():
            return tensor
        try:
            with self.path.open("rb") as file:
                file.seek(place.begin)
                count = file.readinto(tensor.view(-1).view(torch.uint8).numpy().data)
        except OSError as error:
            raise WeightsError(self._unreadable(error)) from error
        if count < tensor.nbytes:
            raise WeightsError(self._unreadable(ValueError("it has become shorter")))
        return tensor

    def _unreadable(self, error: Exception) -> str:
        """The message for a file that is not a whole safetensors file."""
        head = _first_bytes(self.path)
        # Checked only now: a safetensors file may begin with these bytes, the length of its header.
        pickled = head[:2] == b"PK" or (head[:1] == b"\x80" and head[8:] != b"{")
        if pickled or self.path.suffix in PICKLES:
            return (
                f"{self.path} is a pickle, which can run code when loaded, so it is not read: "
                "give the same model as a .safetensors file"
            )
        if self.path.suffix == ".gguf" or head[:4] == b"GGUF":
            return (
                f"{self.path} is a GGUF file, whose quantised weights are not read: give the same "
                "model as a .safetensors file in float16 or float32"
            )
        return (
            f"{self.path} is truncated or not a safetensors file ({error}): download or copy it "
            "again"
        )


def _read_header(file: BinaryIO) -> dict[str, _Place]:
    """The places of a file's tensors. Raises ValueError for a header that is not exactly one of
    safetensors: the tensors lie one after the other and end with the file."""
    total = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(8), "little")
    if total < 8 or length > total - 8:
        raise ValueError("its header is longer than the file")
    if length > MOST_HEADER:
        raise WeightsError(
            f"{file.name}: its header has {length:,} bytes, and at most {MOST_HEADER:,} are read: "
            "save the model again without its metadata"
        )
    start = 8 + length
    header = parse_json(file.read(length).decode("utf-8"), "its header")
    if not isinstance(header, dict) or not isinstance(header.pop("__metadata__", {}), dict):
        raise ValueError("its header is not a table of tensors")
    begins: list[tuple[int, int]] = []
    places = {}
    for name, entry in header.items():
        kind, shape, begin, end = _checked(name, entry)
        places[name] = _Place(kind, shape, start + begin)
        begins.append((begin, end))
    expected = 0
    for begin, end in sorted(begins):
        if begin != expected:
            raise ValueError("its tensors overlap or leave gaps")
        expected = end
    if expected != total - start:
        raise ValueError(f"it has {total - start:,} bytes of tensors instead of {expected:,}")
    return places


def _checked(name: str, entry: Any) -> tuple[str, tuple[int, ...], int, int]:
    """The type, the shape, and the first and the last byte of a tensor of the header."""
    try:
        kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        begin, end = offsets
    except (TypeError, KeyError, ValueError):
        raise ValueError(f"its header does not describe {shown(name)}") from None
    numbers = [*shape, begin, end] if isinstance(shape, list) else [None]
    if not isinstance(kind, str) or not all(type(n) is int and n >= 0 for n in numbers):
        raise ValueError(f"its header does not describe {shown(name)}")
    bits, _ = _TYPES.get(kind, (0, None))
    if len(shape) > _MOST_DIMENSIONS:
        raise ValueError(f"{shown(name)} has {len(shape)} dimensions")
    if end < begin or (bits and prod(shape) * bits != (end - begin) * 8):
        raise ValueError(f"{shown(name)} has {end - begin} bytes, which does not fit its shape")
    return kind, tuple(shape), begin, end


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(9)
    except OSError:  # the file may be unreadable, which the caller reports
        return b""
