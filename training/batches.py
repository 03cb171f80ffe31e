"""Training batches: random concepts, sprites and scenes with their captions.

Most pictures of a batch show distinct concepts. The rest are groups of pictures of one concept that
differ only in their attributes, so that the model also learns colours, backgrounds and effects.
Every batch depends only on (seed, step), so a resumed run draws the same batches.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import torch
from torch import Tensor

from .captions import BAG_SHARE, write_caption
from .composer import Composer
from .concepts import Concept
from .scenes import PLAIN_ODDS, RICH_ODDS, Scene, SceneOdds, draw_scene
from .sources import source_by_key
from .sprites import load_cache

GROUP_SIZE = 3
PEOPLE_GROUP = 1
CONCEPT_WEIGHTS = {PEOPLE_GROUP: 0.45, 8: 0.5}
"""People (each job in three genders) and symbols are numerous and similar, so they are drawn less
often."""


@dataclass(frozen=True)
class Batch:
    """A process's own scenes with their pictures (B, 3, 64, 64) in 0..1, and all captions."""

    scenes: list[Scene]
    captions: list[str]
    pictures: Tensor


class BatchMaker:
    """A source of batches from the sprite cache."""

    def __init__(
        self,
        pixels: np.ndarray,
        concepts: list[Concept],
        source_keys: list[str],
        shown: list[int],
        distinct_share: float,
        bag_share: float = BAG_SHARE,
    ) -> None:
        sources = [source_by_key(key) for key in source_keys]
        self.concepts = concepts
        self.distinct_share, self.bag_share = distinct_share, bag_share
        self.mono = [source.mono for source in sources]
        self.style_words = [source.style_words for source in sources]
        sprites = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
        self.composer = Composer(sprites, self.mono)
        self.sprites_of: list[list[int]] = [[] for _ in concepts]
        for sprite, concept in enumerate(shown):
            self.sprites_of[concept].append(sprite)
        self._sprite_weights = [[sources[s].weight for s in row] for row in self.sprites_of]
        weights = np.array(
            [
                CONCEPT_WEIGHTS.get(concept.group, 1.0) if self.sprites_of[i] else 0.0
                for i, concept in enumerate(concepts)
            ]
        )
        self.concept_odds = weights / weights.sum()

    @classmethod
    def from_cache(
        cls, cache: Path, distinct_share: float, bag_share: float = BAG_SHARE
    ) -> BatchMaker:
        """A maker over the sprites that `sprites.py` rendered. bag_share: the share of captions
        that are bags of words."""
        return cls(*load_cache(cache), distinct_share, bag_share)

    def _pick_sprite(self, concept: int, rng: Random) -> int:
        return rng.choices(self.sprites_of[concept], self._sprite_weights[concept])[0]

    def _scene(self, concept: int, odds: SceneOdds, rng: Random, other: int) -> Scene:
        sprite = self._pick_sprite(concept, rng)
        partner = (self._pick_sprite(other, rng), other)
        return draw_scene(sprite, concept, self.mono[sprite], odds, rng, partner)

    def _group(self, concept: int, rng: Random, others: list[int]) -> list[Scene]:
        """Up to three scenes of one concept with different captions."""
        group: dict[tuple, Scene] = {}
        for _ in range(5 * GROUP_SIZE):
            scene = self._scene(concept, RICH_ODDS, rng, rng.choice(others))
            group.setdefault(scene.key(), scene)
            if len(group) == GROUP_SIZE:
                break
        return list(group.values())

    def describe(self, size: int, seed: int, step: int) -> tuple[list[Scene], list[str]]:
        """The scenes of `step`, exactly `size`, in random order, and their captions."""
        rng = Random(f"{seed}/{step}")
        picked = (
            np.random.default_rng((seed, step))
            .choice(len(self.concepts), size, replace=False, p=self.concept_odds)
            .tolist()
        )
        grouped = round(size * (1 - self.distinct_share))
        drawn: list[tuple[Scene, bool]] = []
        while len(drawn) < grouped:
            drawn += [(scene, True) for scene in self._group(picked.pop(), rng, picked)]
        for concept in picked[: size - len(drawn)]:
            drawn.append((self._scene(concept, PLAIN_ODDS, rng, rng.choice(picked)), False))
        rng.shuffle(drawn)
        captions = [self._caption(scene, rng, full) for scene, full in drawn]
        return [scene for scene, _ in drawn], captions

    def draw(self, size: int, seed: int, step: int, own: slice = slice(None)) -> Batch:
        """The batch of `step`, of which only the scenes in `own` are painted."""
        scenes, captions = self.describe(size, seed, step)
        rng = Random(f"paint/{seed}/{step}/{own.start}")
        generator = torch.Generator().manual_seed(rng.getrandbits(48))
        return Batch(scenes[own], captions, self.composer.paint(scenes[own], rng, generator))

    def _caption(self, scene: Scene, rng: Random, full: bool) -> str:
        style_words = self.style_words[scene.sprite]
        return write_caption(scene, self.concepts, style_words, rng, full, self.bag_share)
