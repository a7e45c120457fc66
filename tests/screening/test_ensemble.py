"""Several conformers of a molecule, judged as one by the logarithm of their mean density."""

import numpy as np
import pytest
from scipy.special import logsumexp

from molscore import InputError, Scorer
from molscore.molecules.conformers import embed
from molscore.molecules.convert import records_of
from molscore.screening.scorer import log_mean_exp, together

SMILES = ("CCCO", "CC(=O)O", "C", "CCN")


@pytest.fixture
def drawn():
    """Three conformers of each, and one."""
    return [embed(text, n, seed=2) for text, n in zip(SMILES, (3, 2, 1, 3), strict=True)]


def test_it_is_the_logarithm_of_the_mean() -> None:
    rng = np.random.default_rng(0)
    sizes = np.array([1, 4, 2, 1, 7])
    values = 300 * rng.normal(size=sizes.sum())
    parts = np.split(values, np.cumsum(sizes)[:-1])
    found = log_mean_exp(values, sizes)
    np.testing.assert_allclose(found, [logsumexp(part) - np.log(len(part)) for part in parts], rtol=1e-12)
    assert all(part.mean() <= value <= part.max() for part, value in zip(parts, found, strict=True))
    assert found[0] == values[0] and found[3] == values[7], "one value stays what it is, to the last bit"


def test_conformers_are_judged_as_one(model, drawn) -> None:
    case = together(model, drawn, 0.05, coarse=True)
    for i, conformers in enumerate(drawn):
        density, coarse = model.log_density(conformers, 0.05), model.log_density(conformers, 0.2)
        assert case.terms.log_density[i] == pytest.approx(logsumexp(density) - np.log(len(density)), abs=1e-3)
        assert case.coarse[i] == pytest.approx(logsumexp(coarse) - np.log(len(coarse)), abs=1e-3)
        assert case.molecules[i] is conformers[int(density.argmax())]
    assert together(model, drawn, 0.05, coarse=False).coarse is None


def test_a_scorer_judges_several_conformers(model) -> None:
    records = [*SMILES, "C1CC", "CC.C"]
    one, three = Scorer(model), Scorer(model, conformers=3)
    found = three.judge(records)
    assert found.status.tolist() == one.judge(records).status.tolist() == ["ok"] * 4 + ["unparsable", "fragments"]
    for row, text in enumerate(SMILES):
        conformers = embed(text, 3)
        density = model.log_density(conformers, 0.05)
        assert found.log_density[row] == pytest.approx(logsumexp(density) - np.log(3), abs=1e-3)
        (scored,) = three(list(records_of([text])))
        assert np.array_equal(scored.molecule.positions, conformers[int(density.argmax())].positions), "the likeliest"
    assert not np.allclose(found.log_density[:4], one.judge(SMILES).log_density, atol=1e-3)
    assert np.isfinite(found.percentile[:4]).all()
    four, again, five = (Scorer(model, conformers=2, seed=seed).judge(SMILES).log_density for seed in (4, 4, 5))
    assert np.array_equal(four, again) and not np.array_equal(four, five)


def test_a_given_geometry_is_one_whatever_is_asked_for(model, library) -> None:
    five, one = (Scorer(model, conformers=n).judge(library) for n in (5, 1))
    assert np.array_equal(five.log_density, one.log_density)


@pytest.mark.parametrize(
    ("name", "value"), [("conformers", 0), ("conformers", 1001), ("time_limit", 0.0), ("time_limit", -1.0)]
)
def test_numbers_out_of_range_are_refused(model, name, value) -> None:
    with pytest.raises(InputError):
        Scorer(model, **{name: value})
