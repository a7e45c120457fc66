"""95 % confidence intervals by drawing the sample again from itself.

Source: Efron 1979, doi:10.1214/aos/1176344552; the percentile interval.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["bootstrap_interval"]


def bootstrap_interval(
    statistic: Callable[[NDArray[np.int64]], float], n: int, resamples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Interval of `statistic(rows)`, where rows (n,) index n independent units; NaN where it has no finite value."""
    rng = np.random.default_rng(seed)
    values = np.array([statistic(rng.integers(n, size=n)) for _ in range(resamples)])
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
