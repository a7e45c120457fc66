"""95 % intervals hold the truth in 95 % of draws."""

import numpy as np
import pytest

from molscore.evaluation.intervals import clustered_interval, wilson_interval


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


def test_perfect_sets_count_molecules_not_atoms() -> None:
    sizes = np.full(50, 20)
    assert clustered_interval(sizes, sizes) == wilson_interval(1.0, 50)
    assert clustered_interval(np.array([3]), np.array([4]))[0] >= 0
