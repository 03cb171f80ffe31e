"""Safetensors files, read one tensor at a time.

Pickle files are refused: loading one runs its code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ..errors import WeightsError

_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


class WeightsFile(Mapping[str, Tensor]):
    """A safetensors file as a mapping that reads each tensor on access.

    The file is mapped into memory for one tensor at a time. A mapping counts as the process's own
    memory until it is closed, 2 GB for a ViT-H-14 whose tensors are copied anyway.
    Raises WeightsError for a missing, truncated or damaged file and for a pickle.
    """

    def __init__(self, path: str | Path) -> None:
        from safetensors import SafetensorError, safe_open

        self.path = Path(path)
        if not self.path.is_file():
            raise WeightsError(f"{self.path}: no such file")
        try:
            with safe_open(self.path, framework="pt") as file:
                self._keys = dict.fromkeys(file.keys())
        except (SafetensorError, OSError, ValueError) as error:
            head = _first_bytes(self.path)
            # Checked only now: the length at the start of a safetensors file may equal these bytes.
            if self.path.suffix in _PICKLES or head[:2] == b"PK" or head[:1] == b"\x80":
                raise WeightsError(
                    f"{self.path} is a pickle, which can run code when loaded, so it is not read: "
                    "give the same model as a .safetensors file"
                ) from error
            raise WeightsError(
                f"{self.path} is truncated or not a safetensors file ({error}): "
                "download or copy it again"
            ) from error

    def __getitem__(self, key: str) -> Tensor:
        if key not in self._keys:
            raise KeyError(key)
        with self._open() as file:
            tensor: Tensor = file.get_tensor(key)
        return tensor

    def __contains__(self, key: object) -> bool:
        return key in self._keys  # without reading the tensor

    def shape(self, key: str) -> tuple[int, ...]:
        """The shape of a tensor, from the file's header alone."""
        with self._open() as file:
            return tuple(file.get_slice(key).get_shape())

    def _open(self) -> Any:
        from safetensors import safe_open

        return safe_open(self.path, framework="pt")

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(4)
    except OSError:  # the file may be unreadable, which the caller reports
        return b""
