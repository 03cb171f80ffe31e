"""The fixed embeddings of a prompt, with places for the learned ones."""

from __future__ import annotations

import torch
from torch import Tensor

from ..clip.text_tower import Tower


class Slots:
    """The prompts of one layout on one tower. count: how many tokens are learned."""

    @torch.inference_mode(False)
    def __init__(self, tower: Tower, layout: Tensor) -> None:
        """layout: (L,) token ids, start and end included, with -1 where a token is learned."""
        self._tower = tower
        self._places = (layout < 0).nonzero().squeeze(1).to(tower.device)  # (n,)
        self._fixed = tower.token_embedding[layout.clamp_min(0).to(tower.device)]  # (L, D)
        self.count = len(self._places)

    def features(self, learned: Tensor) -> Tensor:
        """Unit features of the prompts with these embeddings in the slots. (N, n, D) → (N, E)"""
        sequences = self._fixed.expand(len(learned), -1, -1)
        return self._tower.features(sequences.index_copy(1, self._places, learned))
