"""The pictures and texts that a painter learns from, composed ahead.

Composing costs about as much as a training step on a CPU, and a GPU would wait for it. So a pool
of scenes is composed by several processes, used several times with other noises, and replaced by
new scenes a few times in a run. It depends only on the seed and its number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import torch
import torch.multiprocessing as multiprocessing
from torch import Tensor
from torch.nn import functional as F

from pez_core.clip.model_names import DEMO_FOLDER
from pez_core.painter.denoiser import WORDS

from ..batches import CONCEPT_WEIGHTS, BatchMaker
from ..scenes import Scene, SceneOdds, draw_scene
from ..sources import source_by_key
from ..tokens import text_tokens
from .drawings import unpack
from .texts import write_text

ODDS = SceneOdds(background=0.3, colour=0.07, effect=0.03, partner=0.03, count=0.03, pattern=0.06)
PLAIN_SETS = {"noto": 1.0, "twemoji": 1.0, "fluent-flat": 1.0, "emojione": 0.7, "noto-v1": 0.7}
"""How often a drawing of these sets is drawn. Their styles are alike, and are what a text without
words for a style gets: a painter learns one way of drawing faster than twenty."""
OTHER_SETS = 0.3
MONO = 0.05  # a drawing in one colour
CHUNK = 256
_START, _END = 49406, 49407


@dataclass(frozen=True)
class Pool:
    """pictures: (N, 3, S, S) uint8. ids: (N, WORDS) token ids of their texts, int32."""

    pictures: Tensor
    ids: Tensor


class Studio:
    """Draws scenes plainly, without the random changes that a CLIP is trained with, and writes
    their texts."""

    def __init__(self, drawings: Path) -> None:
        pixels, concepts, keys, shown = unpack(drawings)
        self.maker = BatchMaker(pixels, concepts, keys, shown, distinct_share=1.0)
        self.plain = [key in PLAIN_SETS for key in keys]
        weights = [set_weight(key) for key in keys]
        self.sprite_weights = [[weights[s] for s in row] for row in self.maker.sprites_of]
        self.odds = [
            CONCEPT_WEIGHTS.get(concept.group, 1.0) if row else 0.0
            for concept, row in zip(self.maker.concepts, self.maker.sprites_of, strict=True)
        ]
        self.fillers = (DEMO_FOLDER / "words.txt").read_text(encoding="utf-8").split()

    def scene(self, rng: Random) -> Scene:
        """A random scene."""
        concept, other = rng.choices(range(len(self.odds)), self.odds, k=2)
        sprite = self._sprite(concept, rng)
        partner = (self._sprite(other, rng), other)
        return draw_scene(sprite, concept, self.maker.mono[sprite], ODDS, rng, partner)

    def text(self, scene: Scene, rng: Random) -> str:
        """A text for a scene."""
        maker = self.maker
        style, plain = maker.style_words[scene.sprite], self.plain[scene.sprite]
        return write_text(scene, maker.concepts, style, plain, self.fillers, rng)

    def draw(self, count: int, size: int, seed: str) -> tuple[Tensor, list[str]]:
        """Pictures (count, 3, size, size) uint8 and their texts."""
        rng = Random(seed)
        generator = torch.Generator().manual_seed(rng.getrandbits(48))
        scenes = [self.scene(rng) for _ in range(count)]
        pictures = self.maker.composer.paint(scenes, rng, generator, plain=True)
        texts = [self.text(scene, rng) for scene in scenes]
        return shrunk(pictures, size), texts

    def _sprite(self, concept: int, rng: Random) -> int:
        return rng.choices(self.maker.sprites_of[concept], self.sprite_weights[concept])[0]


def set_weight(key: str) -> float:
    """How often a drawing of a set is drawn, relative to the most frequent ones."""
    source = source_by_key(key)
    return PLAIN_SETS.get(key, MONO if source.mono else OTHER_SETS * source.weight)


def shrunk(pictures: Tensor, size: int) -> Tensor:
    """Pictures (B, 3, H, W) in 0..1 → (B, 3, size, size) uint8."""
    small = F.interpolate(pictures, (size, size), mode="bicubic", antialias=True)
    return (small.clamp(0, 1) * 255).round().to(torch.uint8)


def token_ids(texts: list[str]) -> Tensor:
    """Token ids (B, WORDS), int32, padded with zeros. All that a painter learns from is as short as
    what it attends to; a longer text, of which there are hardly any, is cut."""
    rows = np.zeros((len(texts), WORDS), np.int32)
    for row, text in zip(rows, texts, strict=True):
        ids = text_tokens(text)[: WORDS - 2]
        row[: len(ids) + 2] = [_START, *ids, _END]
    return torch.from_numpy(rows)


def compose(drawings: Path, count: int, size: int, seed: str, processes: int) -> Pool:
    """A pool of `count` scenes, rounded up to whole chunks. The number of processes changes
    nothing."""
    seeds = [f"{seed}/{chunk}" for chunk in range(-(-count // CHUNK))]
    pictures = torch.empty(len(seeds) * CHUNK, 3, size, size, dtype=torch.uint8)
    ids = torch.empty(len(pictures), WORDS, dtype=torch.int32)
    for chunk, drawn in enumerate(_chunks(drawings, size, seeds, processes)):
        rows = slice(chunk * CHUNK, (chunk + 1) * CHUNK)
        pictures[rows], ids[rows] = (torch.from_numpy(part) for part in drawn)
    return Pool(pictures, ids)


_studio: Studio  # of a worker process


def _begin(drawings: Path) -> None:
    global _studio
    _studio = Studio(drawings)


def _begin_worker(drawings: Path) -> None:
    torch.set_num_threads(1)
    _begin(drawings)


def _chunk(request: tuple[int, str]) -> tuple[np.ndarray, np.ndarray]:
    size, seed = request
    pictures, texts = _studio.draw(CHUNK, size, seed)
    return pictures.numpy(), token_ids(texts).numpy()


def _chunks(
    drawings: Path, size: int, seeds: list[str], processes: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    requests = [(size, seed) for seed in seeds]
    if processes == 1:
        _begin(drawings)
        yield from map(_chunk, requests)
        return
    # spawn: a process that has used threads or a GPU must not fork
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, _begin_worker, (drawings,)) as workers:
        yield from workers.imap(_chunk, requests)
