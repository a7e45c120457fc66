"""Percentiles within a formula are uniform for draws of it, and lean on the size where little is known."""

import numpy as np
import pytest

from molscore.errors import CheckpointError
from molscore.screening.formula_reference import LEAST_OF_FORMULA, PRIOR, FormulaReference

COMMON, RARE = (6, 2, 0, 1, 0), (4, 2, 1, 1, 0)


@pytest.fixture
def reference(rng) -> FormulaReference:
    """A formula of 2,000 molecules around 50 nats, and one of too few."""
    n, few = 2000, LEAST_OF_FORMULA - 1
    density = np.concatenate([50 + 3 * rng.standard_normal(n), np.zeros(few)])
    counts = np.array([COMMON] * n + [RARE] * few)
    return FormulaReference.of(density[None], counts, [0.05])


def test_percentiles_are_uniform_within_a_formula(reference, rng) -> None:
    density, counts = 50 + 3 * rng.standard_normal(2000), np.array([COMMON] * 2000)
    found = reference.percentile(density, counts, np.full(2000, 50.0), 0.05)
    uniform = np.sort(found) / 100 - (np.arange(2000) + 0.5) / 2000
    assert np.abs(uniform).max() < 0.05
    other = reference.percentile(density - 6, counts, np.full(2000, 50.0), 0.05)
    assert other.mean() < 15


def test_a_rare_formula_has_the_percentile_of_its_size(reference) -> None:
    sizes = np.array([3.0, 97.0])
    assert reference.percentile(np.array([-1e6, 1e6]), np.array([RARE] * 2), sizes, 0.05).tolist() == sizes.tolist()


def test_few_molecules_count_little(rng) -> None:
    density, counts = rng.standard_normal(LEAST_OF_FORMULA), np.array([COMMON] * LEAST_OF_FORMULA)
    small = FormulaReference.of(density[None], counts, [0.05])
    found = small.percentile(np.array([100.0]), counts[:1], np.array([0.0]), 0.05)
    assert found[0] == pytest.approx(100 * LEAST_OF_FORMULA / (LEAST_OF_FORMULA + PRIOR))


def test_tables_survive_the_checkpoint(reference, rng) -> None:
    extras = reference.to_extras("tiny")
    again = FormulaReference.from_extras(extras, "tiny")
    assert np.allclose(again.quantiles, reference.quantiles, atol=1e-4)
    assert again.formulas.tolist() == [list(COMMON)] and again.n.tolist() == [2000]
    assert FormulaReference.from_extras(extras, "other") is None
    none = FormulaReference.of(rng.standard_normal((1, 5)), np.array([COMMON] * 5), [0.05])
    empty = FormulaReference.from_extras(none.to_extras("tiny"), "tiny")
    assert empty.percentile(np.zeros(1), np.array([COMMON]), np.array([7.0]), 0.05).tolist() == [7.0]


def test_tables_that_do_not_fit_are_refused(reference) -> None:
    extras = reference.to_extras("tiny")
    name = "reference.tiny.given.formula.quantiles"
    with pytest.raises(CheckpointError, match="formula"):
        FormulaReference.from_extras({**extras, name: extras[name][:, :, :3]}, "tiny")
    del extras[name]
    with pytest.raises(CheckpointError, match="quantiles"):
        FormulaReference.from_extras(extras, "tiny")
