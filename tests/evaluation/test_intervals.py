"""95 % intervals hold the truth in 95 % of draws."""

import math

import numpy as np
import pytest

from molscore.evaluation.intervals import bootstrap_interval, clustered_interval, wilson_interval


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
