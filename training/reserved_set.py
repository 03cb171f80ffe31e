"""The pictures that are kept for evaluation, on disk: what `reserved` renders and all else reads.

It needs numpy alone, so a benchmark runs without what training needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class ReservedSet:
    """Pictures (N, 64, 64, 3) uint8 with what they show."""

    images: np.ndarray
    names: list[str]
    tags: list[list[str]]
    groups: list[str]


def save_reserved(path: Path, reserved: ReservedSet) -> None:
    """Writes plain arrays only (no pickles); the tags of a picture are joined by `|`."""
    np.savez_compressed(
        path,
        images=reserved.images,
        names=np.array(reserved.names),
        tags=np.array(["|".join(tags) for tags in reserved.tags]),
        groups=np.array(reserved.groups),
    )


def load_reserved(path: Path) -> ReservedSet:
    """What `save_reserved` wrote."""
    with np.load(path, allow_pickle=False) as data:
        return ReservedSet(
            data["images"],
            [str(name) for name in data["names"]],
            [str(tags).split("|") if tags else [] for tags in data["tags"]],
            [str(group) for group in data["groups"]],
        )
