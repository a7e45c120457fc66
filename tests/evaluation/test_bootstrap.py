"""Bootstrap intervals cover the truth about as often as they say."""

import math

import numpy as np

from molscore.evaluation.bootstrap import bootstrap_interval


def test_the_interval_of_a_mean_covers_it(rng: np.random.Generator) -> None:
    hits = 0
    for seed in range(100):
        values = rng.exponential(size=60)
        low, high = bootstrap_interval(lambda rows, values=values: float(values[rows].mean()), 60, 150, seed)
        hits += low < 1.0 < high
    assert 85 <= hits <= 99


def test_more_of_a_sample_narrows_it(rng: np.random.Generator) -> None:
    values = rng.normal(size=1600)
    widths = [np.ptp(bootstrap_interval(lambda rows: float(values[rows].mean()), n, 400)) for n in (100, 1600)]
    assert 2.5 < widths[0] / widths[1] < 6.5


def test_what_has_no_value_has_no_interval() -> None:
    assert all(math.isnan(bound) for bound in bootstrap_interval(lambda rows: math.nan, 5, 10))
