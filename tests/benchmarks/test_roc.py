"""The area under the ROC curve is that of known groups, and its interval holds the truth in 95 % of draws."""

import math

import numpy as np
import pytest

from benchmarks.roc import auroc
from molscore.errors import InputError


def auroc_of_normals(shift: float) -> float:
    """Two standard normals `shift` apart: Φ(shift/√2)."""
    return 0.5 * (1 + math.erf(shift / 2))


@pytest.mark.parametrize("shift", [0.0, 0.5, 2.0])
def test_normals_apart_by_a_known_shift(rng, shift) -> None:
    found = auroc(rng.standard_normal(4000) + shift, rng.standard_normal(3000), draws=200)
    assert found.low - 0.005 < auroc_of_normals(shift) < found.high + 0.005
    assert found.high - found.low < 0.06
    assert not found.low - 0.005 < auroc_of_normals(shift + 0.5) < found.high + 0.005


def test_auroc_counts_pairs(rng) -> None:
    high, low = rng.integers(0, 6, 40).astype(float), rng.integers(0, 5, 30).astype(float)
    pairs = (high[:, None] > low).mean() + 0.5 * (high[:, None] == low).mean()
    assert auroc(high, low, draws=2).value == pytest.approx(pairs)
    assert auroc(low, high, draws=2).value == pytest.approx(1 - pairs)
    assert auroc([1.0, np.inf], [-np.inf, 1.0], draws=2).value == pytest.approx((0.5 + 1 + 1 + 1) / 4)


def test_the_interval_of_an_auroc_covers_as_often_as_it_says(rng) -> None:
    covers = []
    for _ in range(200):
        found = auroc(rng.standard_normal(60) + 1.0, rng.standard_normal(60), draws=200)
        covers.append(found.low <= auroc_of_normals(1.0) <= found.high)
    assert 0.89 < np.mean(covers) < 0.99


def test_pairs_vary_together_and_are_not_compared_with_each_other(rng) -> None:
    base = rng.standard_normal(300)
    apart, together = (auroc(base + 0.3, base, paired=paired, draws=300) for paired in (False, True))
    assert apart.value == pytest.approx(together.value, abs=0.005)
    assert together.high - together.low < 0.7 * (apart.high - apart.low)
    base = rng.standard_normal(30)  # each a hair better than its own copy, which says nothing about two at random
    found = auroc(base + 1e-6, base, paired=True)
    assert found.low <= found.value <= found.high and found.value == pytest.approx(0.5)
    assert auroc(base + 1e-6, base).value > 0.51


@pytest.mark.parametrize(
    ("high", "low", "paired"), [([], [1.0], False), ([1.0], [np.nan], False), ([1.0], [1, 2], True)]
)
def test_groups_that_cannot_be_compared_are_refused(high, low, paired) -> None:
    with pytest.raises(InputError):
        auroc(high, low, paired)
