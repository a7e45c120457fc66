"""95 % intervals: of percentages, of any statistic by the bootstrap, and of the area under a ROC curve."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from molscore.errors import InputError

__all__ = ["Auroc", "auroc", "bootstrap_interval", "clustered_interval", "wilson_interval"]

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


class Auroc(NamedTuple):
    """The chance that a random member of the first group has the larger value; ties count half."""

    value: float
    low: float  # lower end of the interval
    high: float  # upper end

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def auroc(larger: ArrayLike, smaller: ArrayLike, paired: bool = False, seed: int = 0, draws: int = 1000) -> Auroc:
    """AUROC of ``larger (M,)`` against ``smaller (L,)``, with a bootstrap interval; values may be infinite.

    `paired` is for groups made from the same molecules: ``larger[i]`` and ``smaller[i]`` are drawn together, and not
    compared with each other, so that the chance is that of independent members.
    Raises `InputError` for an empty group, for NaN, and for pairs of different numbers.

    Source: Hanley and McNeil 1982, https://doi.org/10.1148/radiology.143.1.7063747
    """
    high, low = np.asarray(larger, dtype=np.float64), np.asarray(smaller, dtype=np.float64)
    if not high.size or not low.size or np.isnan(high).any() or np.isnan(low).any():
        raise InputError(f"an AUROC needs numbers, none of them NaN; the groups have {high.size} and {low.size} values")
    if paired and high.size != low.size:
        raise InputError(f"{high.size} and {low.size} values do not make pairs")
    order = np.argsort(low, kind="stable")
    below, up_to = (np.searchsorted(low[order], high, side) for side in ("left", "right"))
    rng = np.random.default_rng(seed)
    n, m = high.size, low.size
    # How often each member is in each draw; the first row is the sample itself.
    first = np.vstack([np.ones(n), rng.multinomial(n, np.full(n, 1 / n), draws)])
    second = first if paired else np.vstack([np.ones(m), rng.multinomial(m, np.full(m, 1 / m), draws)])
    passed = np.pad(np.cumsum(second[:, order], axis=1), ((0, 0), (1, 0)))
    wins, pairs = (first * (passed[:, below] + passed[:, up_to])).sum(1), np.full(draws + 1, 2.0 * n * m)
    if paired and n > 1:
        own = np.square(first)
        wins -= (own * (1 + np.sign(high - low))).sum(1)
        pairs -= 2 * own.sum(1)
    wins = wins[pairs > 0] / pairs[pairs > 0]
    return Auroc(float(wins[0]), *np.quantile(wins[1:], [0.025, 0.975]).tolist())
