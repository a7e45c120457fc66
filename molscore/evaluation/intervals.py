"""95 % confidence intervals of percentages."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["clustered_interval", "wilson_interval"]

_Z = 1.959963984540054


def wilson_interval(fraction: float, n: float) -> tuple[float, float]:
    """Wilson's 95 % interval, in percent, for a `fraction` of `n` independent trials.

    References:
        Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953
    """
    centre = (fraction + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(fraction * (1 - fraction) / n + (_Z / (2 * n)) ** 2)
    # At 0 and 1 the bound is the fraction itself, which rounding must not move inwards.
    return 100 * max(0.0, min(fraction, centre - half)), 100 * min(1.0, max(fraction, centre + half))


def clustered_interval(hits: np.ndarray, sizes: np.ndarray) -> tuple[float, float]:
    """95 % interval, in percent, for ``hits.sum() / sizes.sum()`` where trials come in clusters ``(M,)``.

    The atoms of a molecule fail together, so they count as fewer: Wilson's interval with the number of independent
    trials that has the variance of the ratio estimator, and never more than there are atoms.
    """
    fraction = hits.sum() / sizes.sum()
    m = len(sizes)
    spread = ((hits - fraction * sizes) ** 2).sum() / (max(m - 1, 1) * m * sizes.mean() ** 2)
    independent = m if spread == 0 else min(fraction * (1 - fraction) / spread, sizes.sum())
    return wilson_interval(float(fraction), float(independent))
