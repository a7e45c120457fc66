"""`DensityEstimator` is what scikit-learn takes for a density estimator, and gives the model's numbers."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_clusterer, is_regressor
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks, get_tags
from sklearn.utils.validation import check_is_fitted

from molscore import DensityEstimator, InputError
from molscore.screening.generate import draw
from molscore.screening.sample import Sampling
from molscore.screening.scorer import Scorer

SMILES = ["CCO", "C1CC", "C", "ClC", "c1ccccc1"]
#: Those of scikit-learn's own checks that need no table of numbers for X.
CHECKS = (
    "check_estimator_cloneable", "check_estimator_tags_renamed", "check_valid_tag_types", "check_estimator_repr",
    "check_no_attributes_set_in_init", "check_parameters_default_constructible", "check_get_params_invariance",
    "check_set_params", "check_do_not_raise_errors_in_init_or_set_param",
)  # fmt: skip


@pytest.fixture
def estimator(model) -> DensityEstimator:
    return DensityEstimator(model, steps=3)


class Sloppy(DensityEstimator):
    """Breaks the first rule of estimators: the constructor stores what it was given and nothing else."""

    def __init__(self, model="qm9", resolution=0.05) -> None:
        super().__init__(model)
        self.resolution, self.more = 2 * resolution, 1


@pytest.mark.parametrize("name", [name for name in CHECKS if hasattr(estimator_checks, name)])
def test_scikit_learn_accepts_it(estimator, name) -> None:
    getattr(estimator_checks, name)("DensityEstimator", estimator)


@pytest.mark.parametrize("name", ["check_no_attributes_set_in_init", "check_parameters_default_constructible"])
def test_scikit_learn_refuses_a_sloppy_one(model, name) -> None:
    with pytest.raises((AssertionError, TypeError, AttributeError)):
        getattr(estimator_checks, name)("Sloppy", Sloppy(model))


def test_it_needs_no_fit_fit_changes_nothing_and_the_score_is_the_sum(estimator, model) -> None:
    before = estimator.score_samples(SMILES)
    check_is_fitted(estimator)
    assert estimator.fit(["CC"], [1]) is estimator
    assert np.array_equal(estimator.score_samples(SMILES), before, equal_nan=True)
    assert np.array_equal(before, Scorer(model).judge(SMILES).log_likelihood, equal_nan=True)
    assert np.isnan(before).tolist() == [False, True, False, True, False]
    assert estimator.score(["CCO", "C"]) == estimator.score_samples(["CCO", "C"]).sum()
    with pytest.warns(UserWarning, match=r"2 of 5 molecules are not in the score; the first is X\[1\]"):
        assert estimator.score(SMILES) == np.nansum(before)
    with pytest.warns(UserWarning):
        assert np.isnan(estimator.score(["C1CC"]))


def test_a_search_over_resolutions_is_refused(estimator) -> None:
    X = ["CCO", "C", "CC", "CO"]
    with pytest.raises(ValueError, match="do not compare"):
        GridSearchCV(estimator, {"resolution": [0.02, 0.1]}, cv=2).fit(X)
    assert GridSearchCV(estimator, {"conformers": [1, 2]}, cv=2).fit(X).best_score_ < np.inf


def test_molecules_come_as_a_list_an_array_a_column_or_a_table(estimator) -> None:
    expected = estimator.score_samples(SMILES)
    column = np.array(SMILES, dtype=object)
    for X in (column, column[:, None], pd.Series(SMILES), pd.DataFrame({"smiles": SMILES})):
        assert np.array_equal(estimator.score_samples(X), expected, equal_nan=True)
    with pytest.raises(InputError, match="one column"):
        estimator.score_samples(np.zeros((2, 3)))


def test_parameters_are_kept_changed_and_cloned_and_the_model_is_loaded_once(estimator, model, folder) -> None:
    copy = clone(estimator)
    assert copy is not estimator and copy.get_params() == estimator.get_params() and copy.model is estimator.model
    of_folder = DensityEstimator(folder)
    first = of_folder.fit()._model()
    assert of_folder._model() is first and of_folder.set_params(distribution="tiny")._model() is not first
    with pytest.raises(InputError, match="other"):
        DensityEstimator(first, distribution="other").fit()
    assert estimator.get_params()["resolution"] == 0.05
    before = estimator.score_samples(["CCO"])
    assert estimator.set_params(resolution=0.1) is estimator
    assert estimator.score_samples(["CCO"]) == model.log_likelihood(["CCO"], 0.1).round(4) != before
    several = estimator.set_params(resolution=0.05, conformers=3).score_samples(["OCCCO"])
    assert several == Scorer(model, conformers=3).judge(["OCCCO"]).log_likelihood
    assert abs(several - Scorer(model).judge(["OCCCO"]).log_likelihood) > 1e-3


def test_samples_are_of_the_density_that_is_reported(estimator, model, monkeypatch) -> None:
    """Temperature 1, no guidance: the fine half alone, whatever the coarse one says; nothing left out."""
    drawn = estimator.sample(5, random_state=3)
    assert [molecule.index for molecule in drawn] == list(range(5))
    expected = draw(model, 5, 3, Sampling(steps=3, temperature=1.0, guidance=0.0))
    assert all(np.array_equal(c.positions, e.positions) for c, e in zip(drawn, expected, strict=True))
    guided = draw(model, 5, 3, Sampling(steps=3, guided=(0.0, 100.0)))
    assert not np.allclose(guided[0].positions, drawn[0].positions)
    assert not np.array_equal(drawn[0].positions, estimator.sample(5, random_state=4)[0].positions)


def test_samples_follow_the_random_state_of_numpy(estimator) -> None:
    def first(state) -> np.ndarray:
        return estimator.sample(1, random_state=state)[0].positions

    for kind in (np.random.RandomState, np.random.default_rng):
        assert np.array_equal(first(kind(1)), first(kind(1))) and not np.array_equal(first(kind(1)), first(kind(2)))
    np.random.seed(1)
    assert np.array_equal(first(None), first(np.random.RandomState(1)))
    assert not np.array_equal(first(None), first(None))


def test_it_ends_a_pipeline(estimator) -> None:
    pipeline = make_pipeline(FunctionTransformer(lambda X: [text.strip() for text in X]), estimator)
    assert np.array_equal(pipeline.score_samples([" CCO", "C "]), estimator.score_samples(["CCO", "C"]))
    assert pipeline.fit(["C"]).score(["C"]) == estimator.score(["C"])
    table = pd.DataFrame({"smiles": ["CCO", "C"], "mass": [46.1, 16.0]})
    for columns in (["smiles"], ["smiles", "mass"]):
        named = ColumnTransformer([("s", "passthrough", columns)]).set_output(transform="pandas")
        assert np.array_equal(
            make_pipeline(named, estimator).fit(table).score_samples(table), estimator.score_samples(["CCO", "C"])
        )
    assert get_tags(estimator).estimator_type == "density_estimator"
    assert not is_regressor(estimator) and not is_clusterer(estimator)
