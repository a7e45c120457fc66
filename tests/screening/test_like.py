"""A model given references, and ranking by how much likelier a row is among them."""

import pickle

import numpy as np
import pytest

import molscore
from molscore.errors import InputError
from molscore.screening.sample import draw_formulas
from molscore.screening.scorer import Scorer
from tests import tiny

ALCOHOLS = ["CO", "CCO", "CCCO", "CC(C)O"]


@pytest.fixture(scope="module")
def model():
    return tiny.model()


@pytest.fixture(scope="module")
def given(model):
    return model.given(ALCOHOLS)


def test_order_of_references_does_not_matter_and_what_they_are_does(model, given):
    molecules = list(tiny.geometries())[:8]
    plain, value = model.log_likelihood(molecules), given.log_likelihood(molecules)
    assert np.array_equal(value, model.given(ALCOHOLS[::-1]).log_likelihood(molecules))
    assert np.array_equal(value, pickle.loads(pickle.dumps(given)).log_likelihood(molecules))
    assert np.array_equal(plain, model.log_likelihood(molecules)), "the plain model is as it was"
    assert np.abs(value - model.log_likelihood(molecules)).min() > 1e-4
    others = model.given(["c1ccccc1", "C1CC1"])
    assert np.abs(given.log_density(molecules) - others.log_density(molecules)).max() > 1e-6


def test_no_percentiles_are_said_that_are_of_another_distribution(given):
    assert given.references is None and given.resolutions == []
    with pytest.raises(InputError, match="no reference"):
        given.percentile("CCO")
    with pytest.raises(InputError, match="already"):
        given.given("CCO")


@pytest.mark.parametrize("name", ["series.smi", "series.sdf"])
def test_references_come_from_a_file(model, given, tmp_path, name):
    molscore.write(tmp_path / name, [(molecule, {"smiles": text}, None) for text, molecule in
                                     zip(ALCOHOLS, given.like, strict=True)], {})  # fmt: skip
    found = model.given(tmp_path / name)
    assert np.allclose(found.log_likelihood("CCN"), given.log_likelihood("CCN"), atol=0.02)


def test_ranking_like_references(model, given):
    frame = molscore.rank(model, ["CCCO", "c1cnc[nH]1", "not a molecule"], like=ALCOHOLS)
    assert frame.attrs["by"] == "log_ratio"
    alcohol, imidazole = frame["log_ratio"][:2]
    assert alcohol > imidazole and np.isnan(frame["log_ratio"][2])
    difference = frame["log_likelihood_given"] - frame["log_likelihood"]
    assert np.allclose(frame["log_ratio"][:2], difference[:2], atol=2e-4)
    assert frame["log_likelihood_given"][0] == pytest.approx(given.log_likelihood("CCCO")[0], abs=1e-3)
    plain = molscore.rank(model, ["CCCO"])
    assert "log_ratio" not in plain and plain["percentile"][0] == frame["percentile"][0]
    with pytest.raises(InputError, match="--like"):
        molscore.rank(model, ["CCO"], by="log_ratio")


def test_conformers_are_compared_as_they_are_judged(model):
    scored = Scorer(model, by="log_ratio", conformers=3, like=ALCOHOLS)(
        [molscore.molecules.files.Record(0, None, "CCCO", {})]
    )[0].columns
    assert scored["log_ratio"] == pytest.approx(scored["log_likelihood_given"] - scored["log_likelihood"], abs=2e-4)


def test_draws_around_a_fragment_are_ordered_by_likeness_too(given):
    for drawn in given.generate(2, 0, keep_atoms="*C", steps=2, min_percentile=0.0):
        assert drawn.by == "log_ratio" and np.isfinite(drawn.columns()["log_ratio"])


def test_draws_in_the_manner_of_references(model, given):
    elements = model.distribution.elements
    wanted = {tuple(reference.symbols.count(symbol) for symbol in elements) for reference in given.like}

    def share(drawn_from) -> float:
        return np.mean([tuple(row) in wanted for row in draw_formulas(drawn_from, 400, 0, None, None).tolist()])

    assert share(given) > share(model) + 0.1
