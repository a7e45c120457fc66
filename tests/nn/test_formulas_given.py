"""Formulas given references: a distribution that sums to one, leans to the references and forgets their order."""

import numpy as np
import pytest

from molscore.errors import SizeError
from molscore.nn.composition import FormulaPmf, FormulasGiven
from tests import tiny


@pytest.fixture(scope="module")
def plain():
    return FormulaPmf(tiny.distribution())


ETHANOL, BENZENE = (6, 2, 0, 1, 0), (6, 6, 0, 0, 0)
UNSEEN = (8, 3, 2, 0, 0)  # C3H8N2, in no formula of the library


def every_formula(max_atoms):
    grid = np.indices((max_atoms + 1,) * 5).reshape(5, -1).T
    return grid[(grid.sum(1) > 0) & (grid.sum(1) <= max_atoms)]


@pytest.mark.parametrize("references", [[ETHANOL], [ETHANOL, BENZENE, UNSEEN]])
def test_sums_to_one_over_all_formulas_and_sizes(plain, references):
    given = FormulasGiven(plain, references)
    counts = every_formula(plain.max_atoms)
    assert np.exp(given.log_prob(counts)).sum() == pytest.approx(1.0, abs=1e-9)
    assert np.exp(given.log_prob_size(np.arange(plain.max_atoms + 1))).sum() == pytest.approx(1.0, abs=1e-9)
    nine = counts[counts.sum(1) == 9]
    assert np.exp(given.log_prob_formula(nine)).sum() == pytest.approx(1.0, abs=1e-9)


def test_leans_to_the_references_and_their_order_does_not_matter(plain):
    references = [ETHANOL, UNSEEN, BENZENE, ETHANOL]
    given, shuffled = FormulasGiven(plain, references), FormulasGiven(plain, references[::-1])
    assert np.array_equal(given.log_prob(references), shuffled.log_prob(references))
    assert (given.log_prob([ETHANOL, UNSEEN]) > plain.log_prob([ETHANOL, UNSEEN])).all()
    far = [(4, 1, 0, 0, 0)]  # methane
    assert FormulasGiven(plain, [BENZENE] * 16).log_prob(far) < plain.log_prob(far)


def test_draws_what_it_says(plain):
    given = FormulasGiven(plain, [ETHANOL, UNSEEN])
    drawn = given.sample(20_000, np.random.default_rng(0))
    found, n = np.unique(drawn, axis=0, return_counts=True)
    common = n > 50
    expected = np.exp(given.log_prob(found))[common]
    assert np.abs(n[common] / 20_000 - expected).max() < 5 * np.sqrt(expected.max() / 20_000)
    assert (drawn.sum(1) == 13).any() and set(given.sample(500, np.random.default_rng(0), 9).sum(1)) == {9}
    at_nine = given.sample(20_000, np.random.default_rng(1), 9)
    share = (at_nine == ETHANOL).all(1).mean()
    assert share == pytest.approx(float(np.exp(given.log_prob_formula([ETHANOL])[0])), abs=0.015)
    with pytest.raises(SizeError):
        given.sample(1, np.random.default_rng(0), 99)
