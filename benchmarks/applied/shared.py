"""Shared by the applications: the models of a process, intervals, and names of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from torch import Tensor

from pez_core import ClipModel, load_model
from training.attributes import with_article

from ..judge import Judge
from ..measure import paired_bootstrap

FLOAT32 = ("--dtype", "float32")  # the same words on every processor, as far as torch allows


@cache  # once in each process
def bench() -> tuple[ClipModel, Judge, Tensor]:
    """The embedded model, the judge, and the model's features of the reserved pictures, (300,
    E)."""
    torch.set_num_threads(1)
    model, judge = load_model("demo"), Judge()
    return model, judge, model.encode_pictures(judge.pictures)


def names(pictures: Sequence[int]) -> list[str]:
    """The names of reserved pictures with an article, such as "a pizza"."""
    _, judge, _ = bench()
    return [with_article(judge.reserved.names[picture]) for picture in pictures]


def interval(values: Sequence[float], digits: int = 3, sign: str = "") -> str:
    """Mean and 95 % interval; bold if it is a difference (sign "+") and excludes 0."""
    mean, low, high = paired_bootstrap(np.array(values, dtype=float))
    text = f"{mean:{sign}.{digits}f} ({low:{sign}.{digits}f} to {high:{sign}.{digits}f})"
    return f"**{text}**" if sign and low * high > 0 else text
