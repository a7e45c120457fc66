"""95 % intervals: of percentages, and of any statistic by the bootstrap."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["bootstrap_interval", "clustered_interval", "wilson_interval"]

_Z = 1.959963984540054


def wilson_interval(fraction: float, n: float) -> tuple[float, float]:
    """Interval, in percent, of a `fraction` of `n` independent trials; n may be an effective number.

    Source: Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953
    """
    centre = (fraction + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(fraction * (1 - fraction) / n + (_Z / (2 * n)) ** 2)
    # At 0 and 1 the bound is the fraction itself, which rounding must not move inwards.
    return 100 * max(0.0, min(fraction, centre - half)), 100 * min(1.0, max(fraction, centre + half))


def clustered_interval(hits: np.ndarray, sizes: np.ndarray) -> tuple[float, float]:
    """Interval, in percent, of ``hits.sum() / sizes.sum()`` where trials come in clusters ``(M,)``.

    The atoms of a molecule fail together, so they count as fewer: Wilson's interval with the number of independent
    trials that has the variance of the ratio estimator, and never more than there are atoms.
    """
    fraction = hits.sum() / sizes.sum()
    m = len(sizes)
    spread = ((hits - fraction * sizes) ** 2).sum() / (max(m - 1, 1) * m * sizes.mean() ** 2)
    independent = m if spread == 0 else min(fraction * (1 - fraction) / spread, sizes.sum())
    return wilson_interval(float(fraction), float(independent))


def bootstrap_interval(
    statistic: Callable[[NDArray[np.int64]], float], n: int, resamples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Interval of `statistic(rows)`, where rows (n,) index n independent units; NaN where it has no finite value.

    Source: Efron 1979, https://doi.org/10.1214/aos/1176344552; percentiles.
    """
    rng = np.random.default_rng(seed)
    values = np.array([statistic(rng.integers(n, size=n)) for _ in range(resamples)])
    values = values[np.isfinite(values)]
    low, high = np.quantile(values, [0.025, 0.975]) if len(values) else (math.nan, math.nan)
    return float(low), float(high)
