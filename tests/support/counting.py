"""What a search costs, in counts: passes through a text tower, encoded texts, and how often Python
waits for a value of the device."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from pez_core.clip.text_tower import Tower


class CountingTower(Tower):
    """Another tower, whose work is counted.

    counts: of passes with a "gradient", of passes over "trials" without one, of calls that encode
    "texts"; and of the sequences of each, under "gradient sequences" and so on.
    """

    def __init__(self, tower: Tower, counts: Counter[str]) -> None:
        self.tower, self.counts = tower, counts
        self.token_embedding = tower.token_embedding
        self.in_texts = False

    @property
    def widths(self) -> tuple[int, ...]:
        return self.tower.widths

    @property
    def embed_dim(self) -> int:
        return self.tower.embed_dim

    def count(self, kind: str, sequences: int) -> None:
        self.counts[kind] += 1
        self.counts[f"{kind} sequences"] += sequences

    def features(self, embeddings: Tensor) -> Tensor:
        if not self.in_texts:
            kind = "gradient" if embeddings.requires_grad else "trials"
            self.count(kind, len(embeddings))
        return self.tower.features(embeddings)

    def encode_ids(self, sequences: Sequence[Sequence[int]], *rest: Any, **more: Any) -> Tensor:
        self.count("texts", len(sequences))
        self.in_texts = True
        try:
            return super().encode_ids(sequences, *rest, **more)
        finally:
            self.in_texts = False

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Tower:
        return CountingTower(self.tower.to(device, dtype), self.counts)

    def for_search(self) -> Tower:
        return CountingTower(self.tower.for_search(), self.counts)

    def map(self, change: Callable[[Tensor], Tensor]) -> Tower:
        return CountingTower(self.tower.map(change), self.counts)


WAITS = {
    getattr(Tensor, name)
    for name in (
        "item", "tolist", "cpu", "numpy", "nonzero", "unique", "masked_select", "__bool__",
        "__int__", "__float__", "__index__", "__array__", "__contains__",
    )
} | {torch.nonzero, torch.unique, torch.masked_select}  # fmt: skip


class CountingWaits(TorchFunctionMode):
    """Counts what would make Python wait for a device: values that are read, and masks whose
    number of entries has to be known. `count`: so far."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        masks = func is Tensor.__getitem__ and any(
            isinstance(index, Tensor) and index.dtype == torch.bool
            for index in (args[1] if isinstance(args[1], tuple) else (args[1],))
        )
        self.count += masks or func in WAITS
        return func(*args, **(kwargs or {}))
