"""The area under a ROC curve with its 95 % interval."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from molscore.errors import InputError

__all__ = ["Auroc", "auroc"]


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
