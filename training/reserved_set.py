"""The pictures reserved for evaluation, on disk: `reserved` renders them and all other code reads
them.

It needs only numpy, so benchmarks run without the dependencies of training.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class ReservedSet:
    """Pictures (N, 64, 64, 3) uint8 with their names and tags."""

    images: np.ndarray
    names: list[str]
    tags: list[list[str]]
    groups: list[str]


def save_reserved(path: Path, reserved: ReservedSet) -> None:
    """Write plain arrays without pickles. The tags of a picture are joined by `|`."""
    np.savez_compressed(
        path,
        images=reserved.images,
        names=np.array(reserved.names),
        tags=np.array(["|".join(tags) for tags in reserved.tags]),
        groups=np.array(reserved.groups),
    )


def load_reserved(path: Path) -> ReservedSet:
    """The set that `save_reserved` wrote."""
    with np.load(path, allow_pickle=False) as data:
        return ReservedSet(
            data["images"],
            [str(name) for name in data["names"]],
            [str(tags).split("|") if tags else [] for tags in data["tags"]],
            [str(group) for group in data["groups"]],
        )
