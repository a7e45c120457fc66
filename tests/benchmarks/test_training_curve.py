"""The line through a training's checkpoints: it finds the law that made the counts, and says where it leads."""

import numpy as np
import pytest

from benchmarks.training_curve import fit, minutes_until

MINUTES = np.array([20.0, 60.0, 180.0, 540.0])


def shares(a: float, b: float) -> np.ndarray:
    return 1 / (1 + np.exp(-(a + b * np.log(MINUTES))))


def test_it_finds_the_law_that_made_the_counts() -> None:
    n = np.full(4, 1e6)
    found = fit(MINUTES, shares(-3.0, 0.8) * n, n)
    assert (found.a, found.b) == (pytest.approx(-3.0), pytest.approx(0.8))
    minutes, deviation = minutes_until(found, 0.85)
    assert 1 / (1 + np.exp(3.0 - 0.8 * np.log(minutes))) == pytest.approx(0.85)
    assert deviation < 0.02


def test_few_molecules_leave_it_open() -> None:
    n = np.full(4, 30.0)
    assert minutes_until(fit(MINUTES, shares(-3.0, 0.8) * n, n), 0.85)[1] > 0.3


def test_the_intervals_cover_what_they_claim() -> None:
    rng, n = np.random.default_rng(0), np.full(4, 400)
    truth = np.log(minutes_until(fit(MINUTES, shares(-3.0, 0.8) * 1e6, np.full(4, 1e6)), 0.85)[0])
    inside = []
    for _ in range(300):
        minutes, deviation = minutes_until(fit(MINUTES, rng.binomial(n, shares(-3.0, 0.8)).astype(float), n), 0.85)
        inside.append(abs(np.log(minutes) - truth) < 1.96 * deviation)
    assert 0.90 < np.mean(inside) < 0.99
