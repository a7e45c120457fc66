"""The area under the ROC curve of groups whose separation is known, and whether its interval covers it."""

import math

import numpy as np
import pytest

from molscore.errors import InputError
from molscore.evaluation.auroc import auroc


def expected(shift: float) -> float:
    """Two standard normals `shift` apart: Φ(shift/√2)."""
    return 0.5 * (1 + math.erf(shift / 2))


@pytest.mark.parametrize("shift", [0.0, 0.5, 2.0])
def test_normals_apart_by_a_known_shift(rng, shift) -> None:
    found = auroc(rng.standard_normal(4000) + shift, rng.standard_normal(3000), draws=200)
    assert found.low - 0.005 < expected(shift) < found.high + 0.005
    assert found.high - found.low < 0.06
    assert not found.low - 0.005 < expected(shift + 0.5) < found.high + 0.005


def test_it_counts_pairs(rng) -> None:
    high, low = rng.integers(0, 6, 40).astype(float), rng.integers(0, 5, 30).astype(float)
    pairs = (high[:, None] > low).mean() + 0.5 * (high[:, None] == low).mean()
    assert auroc(high, low, draws=2).value == pytest.approx(pairs)
    assert auroc(low, high, draws=2).value == pytest.approx(1 - pairs)
    assert auroc([1.0, np.inf], [-np.inf, 1.0], draws=2).value == pytest.approx((0.5 + 1 + 1 + 1) / 4)


def test_the_interval_covers_as_often_as_it_says(rng) -> None:
    covered = []
    for _ in range(200):
        found = auroc(rng.standard_normal(60) + 1.0, rng.standard_normal(60), draws=200)
        covered.append(found.low <= expected(1.0) <= found.high)
    assert 0.89 < np.mean(covered) < 0.99


def test_pairs_that_vary_together_have_a_shorter_interval(rng) -> None:
    base = rng.standard_normal(300)
    apart, together = (auroc(base + 0.3, base, paired=paired, draws=300) for paired in (False, True))
    assert apart.value == pytest.approx(together.value, abs=0.005)
    assert together.high - together.low < 0.7 * (apart.high - apart.low)


def test_what_was_made_of_a_molecule_is_not_compared_with_it(rng) -> None:
    """Each is a hair better than its own copy: that says nothing about two molecules drawn at random."""
    base = rng.standard_normal(30)
    found = auroc(base + 1e-6, base, paired=True)
    assert found.value == pytest.approx(0.5)
    assert found.low <= found.value <= found.high
    assert auroc(base + 1e-6, base).value > 0.51


@pytest.mark.parametrize(
    ("high", "low", "paired"), [([], [1.0], False), ([1.0], [np.nan], False), ([1.0], [1, 2], True)]
)
def test_groups_that_cannot_be_compared_are_refused(high, low, paired) -> None:
    with pytest.raises(InputError):
        auroc(high, low, paired)
