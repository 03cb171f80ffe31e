"""The device that the GPU's sections measure, its models of random weights, and its floor."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch.nn import functional as F

from pez_core import ClipModel, load_model, make_targets
from pez_core.clip.text_tower import TextTower
from pez_core.compute.devices import find_dtype
from pez_core.targets import Targets

from .random_models import write_model


class Bench:
    """The device, and the models that a section needs, which are written on first use."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.device, self.dry, self._folder = options.device, options.dry, folder
        self.models: list[str] = options.models
        self.single = list(dict.fromkeys(part for name in self.models for part in name.split("+")))

    def path(self, name: str, pictures: bool = True) -> str:
        """The name by which `load_model` finds a model of random weights. pictures: with its image
        tower, which is the larger part."""
        found, folder = [], self._folder / ("whole" if pictures else "text")
        for part in name.split("+"):
            where = folder / part
            if not where.is_dir():
                write_model(part, folder, torch.float16, pictures)
            found.append(str(where))
        return "+".join(found)

    def model(self, name: str, as_stored: bool = True) -> ClipModel:
        """The text tower of a model."""
        return load_model(self.path(name, pictures=False), self.device, as_stored=as_stored)

    def dtype(self) -> torch.dtype:
        """The precision that `--dtype auto` chooses here."""
        return find_dtype("auto", torch.device(self.device))

    def wait(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()

    def seconds(self, run: Callable[[], object]) -> float:
        self.wait()
        start = time.perf_counter()
        run()
        self.wait()
        return time.perf_counter() - start

    def target(self, model: ClipModel, seed: int = 0) -> Targets:
        generator = torch.Generator().manual_seed(seed)
        feature = torch.randn(1, model.tower.embed_dim, generator=generator)
        return make_targets(F.normalize(feature, dim=-1).to(model.device))


def bandwidth(bench: Bench) -> float:
    """Bytes a second of a copy on the device; read and written bytes both count."""
    size = 2**20 if bench.dry else 2**30
    source = torch.ones(size, dtype=torch.uint8, device=bench.device)
    target = torch.empty_like(source)
    times = [bench.seconds(lambda: target.copy_(source)) for _ in range(10)]
    return 2 * size / median(times)


def floor(tower: TextTower, speed: float) -> float:
    """Seconds to read the blocks' weights twice, in their own precision."""
    tensors = [t for block in tower.blocks for t in vars(block).values() if t is not None]
    return 2 * sum(t.numel() * t.element_size() for t in tensors) / speed
