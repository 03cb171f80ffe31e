"""Bootstrap intervals of means (Efron 1979, percentile method)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DRAWS = 10_000


def mean_interval(
    values: NDArray[np.float64], draws: int = DRAWS, seed: int = 0
) -> tuple[float, float, float]:
    """The mean of values (N,) and its 95 % bootstrap interval: (mean, low, high).

    For the difference of two methods, give the differences of their pairs.
    """
    generator = np.random.default_rng(seed)
    indices = generator.integers(0, len(values), (draws, len(values)))
    low, high = np.percentile(values[indices].mean(axis=1), [2.5, 97.5])
    return float(values.mean()), float(low), float(high)
