"""95 % intervals hold the truth in 95 % of draws; the area under the ROC curve is that of known groups."""

import math

import numpy as np
import pytest

from molscore.errors import InputError
from molscore.evaluation.intervals import auroc, bootstrap_interval, clustered_interval, wilson_interval


def covered(bounds: list[tuple[float, float]], truth: float) -> float:
    """Share of intervals (percent) that hold the true fraction."""
    return float(np.mean([low <= 100 * truth <= high for low, high in bounds]))


@pytest.mark.parametrize("p", [0.5, 0.95, 0.99])
def test_wilson_covers_a_coin(rng, p) -> None:
    hits = rng.binomial(200, p, 2000)
    assert 0.92 < covered([wilson_interval(k / 200, 200) for k in hits], p) < 0.985
    narrow = [wilson_interval(k / 200, 2000) for k in hits]
    assert covered(narrow, p) < 0.8  # a wrong number of trials is noticed


def test_wilson_stays_inside_and_around() -> None:
    for hits in range(11):
        low, high = wilson_interval(hits / 10, 10)
        assert 0 <= low <= 10 * hits <= high <= 100 and high - low > 20


def test_atoms_that_fail_together_widen_the_interval(rng) -> None:
    truth, ours, plain = 0.9, [], []
    for _ in range(600):
        sizes = rng.integers(5, 30, 300)
        hits = np.where(rng.random(300) < 0.8, sizes, sizes // 2 + rng.integers(0, 2, 300) * (sizes % 2))
        ours.append(clustered_interval(hits, sizes))
        plain.append(wilson_interval(hits.sum() / sizes.sum(), sizes.sum()))
    assert covered(ours, truth) > 0.92
    assert covered(plain, truth) < 0.85
    sizes = np.full(50, 20)  # of which none fails: as many as there are molecules
    assert clustered_interval(sizes, sizes) == wilson_interval(1.0, 50)
    assert clustered_interval(np.array([3]), np.array([4]))[0] >= 0


def test_the_bootstrap_of_a_mean_covers_it_and_narrows(rng) -> None:
    hits = 0
    for seed in range(100):
        values = rng.exponential(size=60)
        low, high = bootstrap_interval(lambda rows, values=values: float(values[rows].mean()), 60, 150, seed)
        hits += low < 1.0 < high
    assert 85 <= hits <= 99
    values = rng.normal(size=1600)
    widths = [np.ptp(bootstrap_interval(lambda rows: float(values[rows].mean()), n, 400)) for n in (100, 1600)]
    assert 2.5 < widths[0] / widths[1] < 6.5
    assert all(math.isnan(bound) for bound in bootstrap_interval(lambda rows: math.nan, 5, 10))


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
