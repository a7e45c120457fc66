"""`DiScoFormerDensity` with the shipped models: laws, and better than a kernel density estimate."""

import copy
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from molscore.errors import InputError
from molscore.vectors import DiScoFormerDensity
from molscore.vectors.density import adapted, heads_and_gradient
from molscore.vectors.mixtures import published


def mixture(d: int, n: int, m: int, seed: int = 0):
    """Samples and queries of a random mixture, with the truth at the queries."""
    torch.manual_seed(seed)
    mixtures = published(torch.tensor([float(d)]), d)
    xy = mixtures.sample(n + m)
    truth = mixtures.log_density_and_score(xy[:, n:])
    return tuple(part[0].numpy() for part in (xy[:, :n], xy[:, n:], *truth))


@pytest.fixture(scope="module")
def plane():
    """Two dimensions: samples, queries, truth, a fitted estimator."""
    x, y, log_p, gradient = mixture(2, 600, 200)
    return x, y, log_p, gradient, DiScoFormerDensity().fit(x)


def test_integrates_to_one(plane) -> None:
    x, *_, density = plane
    sides = [np.linspace(x[:, i].min() - 3, x[:, i].max() + 3, 120) for i in range(2)]
    grid = np.stack(np.meshgrid(*sides, indexing="ij"), -1).reshape(-1, 2)
    cell = np.prod([side[1] - side[0] for side in sides])
    total = np.exp(density.score_samples(grid).astype(float)).sum() * cell
    assert abs(total - 1) < 0.02
    before = total * np.exp(density.log_normaliser_)
    assert abs(np.log(before) - density.log_normaliser_) < 0.02  # what fit reports is what it took off
    assert density.normalised_
    assert density.log_normaliser_error_ < 0.02


@pytest.mark.parametrize(("d", "times"), [(2, 1), (10, 1.5)])
def test_better_than_the_best_kernel_density_estimate(d, times) -> None:
    errors = []
    for seed in range(3):
        x, y, log_p, _ = mixture(d, 600, 200, seed)
        ours = DiScoFormerDensity().fit(x).score_samples(y)
        kernels = [KernelDensity(bandwidth=h).fit(x).score_samples(y) for h in np.geomspace(0.1, 2, 10)]
        errors.append([
            np.square(ours - log_p).mean(), min(np.square(found - log_p).mean() for found in kernels),
        ])  # fmt: skip
    ours, kernel = np.mean(errors, axis=0)
    assert ours < kernel / times


def test_affine_maps_of_the_data_are_maps_of_the_answer(plane) -> None:
    x, y, *_ = plane
    A, b = np.array([[2.0, 1.0], [0.3, -50.0]]), np.array([1000.0, -3.0])
    plain, mapped = (DiScoFormerDensity(n_importance=0).fit(data) for data in (x, x @ A.T + b))
    log_p = mapped.score_samples(y @ A.T + b) + np.linalg.slogdet(A)[1]
    np.testing.assert_allclose(log_p, plain.score_samples(y), atol=5e-3)
    np.testing.assert_allclose(mapped.gradient(y @ A.T + b) @ A, plain.gradient(y), atol=0.02, rtol=5e-3)


def test_the_order_of_rows_is_nothing_and_batches_are_nothing(plane, monkeypatch) -> None:
    x, y, *_ = plane
    plain, turned = (DiScoFormerDensity(n_importance=0).fit(data) for data in (x, x[::-1]))
    np.testing.assert_allclose(turned.score_samples(y), plain.score_samples(y), atol=2e-3)
    whole = plain.score_samples(y)
    monkeypatch.setattr("molscore.vectors.density.CHUNK", 600 * 7)
    np.testing.assert_allclose(plain.score_samples(y), whole, atol=1e-4)


def test_gradient_is_the_slope_of_the_log_density(plane) -> None:
    _, y, _, truth, density = plane
    step = 0.01
    ahead, behind = (
        np.stack([density.score_samples(y + side * step * axis).astype(float) for axis in np.eye(2)], -1)
        for side in (1, -1)
    )
    slope = (ahead - behind) / (2 * step)
    size = np.square(truth).mean()
    assert np.square(slope - density.gradient(y)).mean() / size < 0.1
    assert np.square(slope + density.gradient(y)).mean() / size > 1  # the wrong sign is told apart


def test_adaptation_brings_the_heads_together(plane) -> None:
    *_, density = plane
    network, context = density._network, density._context
    y = torch.randn(1, 64, 2)

    def disagreement(network: torch.nn.Module) -> float:
        _, S, slope = heads_and_gradient(network, y, network.context(context.x, context.d))
        return float((S - slope).detach().square().sum(-1).mean())

    before = disagreement(network)
    after = disagreement(adapted(network, context.x, context.d, y, steps=2))
    assert after < before
    assert disagreement(network) == before  # the shared network is as it was


def test_is_a_scikit_learn_estimator(plane) -> None:
    x, y, *_, density = plane
    log_p, gradient = density.score_samples(y), density.gradient(y)
    assert log_p.shape == (len(y),)
    assert gradient.shape == y.shape
    assert log_p.dtype == gradient.dtype == np.float32
    assert density.score(y) == pytest.approx(float(log_p.sum()), rel=1e-5)
    np.testing.assert_array_equal(copy.deepcopy(density).score_samples(y), log_p)
    pipeline = make_pipeline(StandardScaler(), clone(density)).fit(x)
    change = np.log(pipeline[0].scale_).sum()
    np.testing.assert_allclose(pipeline.score_samples(y) - change, log_p, atol=0.05)


def test_draws_are_of_the_density(plane) -> None:
    x, *_, density = plane
    drawn = density.sample(1500, random_state=0)
    assert drawn.shape == (1500, 2)
    np.testing.assert_array_equal(drawn, density.sample(1500, random_state=0))
    # what is drawn is as likely under a mixture fitted to the samples as the samples are
    judge = GaussianMixture(4, random_state=0).fit(x)
    assert judge.score(drawn) == pytest.approx(judge.score(x), abs=0.2)


def test_a_row_of_the_fit_is_judged_by_the_others(plane) -> None:
    x, *_, density = plane
    here, beside = density.score_samples(x[:50]), density.score_samples(x[:50] + 1e-3)
    assert here.mean() < beside.mean()  # a hair away, the row itself counts among the neighbours


def test_what_cannot_be_is_said(plane) -> None:
    x, *_ = plane
    with pytest.raises(InputError, match="3 rows of 3 columns"):
        DiScoFormerDensity().fit(np.eye(3))
    with pytest.raises(InputError, match="column 1 is constant"):
        DiScoFormerDensity().fit(np.c_[x[:, 0], np.ones(len(x))])
    with pytest.raises(InputError, match="of the columns 0, 1, 3 one follows from the others"):
        DiScoFormerDensity().fit(np.c_[x, x[:, 0] ** 2, x.sum(1)])
    named = pd.DataFrame({"a": x[:, 0], "k": np.ones(len(x)), "twice a": 2 * x[:, 0]})
    for columns, reason in ((["a", "k"], "column k is constant"), (["a", "twice a"], "of the columns a, twice a one")):
        with pytest.raises(InputError, match=reason):
            DiScoFormerDensity().fit(named[columns])
    for wrong in ({"max_rows": -1}, {"max_rows": 2}, {"max_rows": 99.5}, {"n_importance": -1}, {"adapt_steps": None}):
        with pytest.raises(InputError, match=f"{next(iter(wrong))} must be a whole number"):
            DiScoFormerDensity(**wrong).fit(x)
    with pytest.warns(UserWarning, match="30 rows are few"):
        DiScoFormerDensity(max_rows=30).fit(x)
    with pytest.raises(InputError, match="PCA"):
        DiScoFormerDensity().fit(np.random.default_rng(0).normal(size=(300, 101)))
    with pytest.raises(ValueError, match="NaN"):
        DiScoFormerDensity().fit(np.where(x > 2, np.nan, x))


def test_more_rows_than_it_was_trained_on_are_drawn_from(plane) -> None:
    x, y, *_ = plane
    density = DiScoFormerDensity(max_rows=100, n_importance=0).fit(x)
    assert density.n_rows_ == 100
    assert np.corrcoef(density.score_samples(y), plane[-1].score_samples(y))[0, 1] > 0.8


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda rng: rng.normal(size=(10, 2)), "10 rows are few for a density of 2 columns: 50"),
        (lambda rng: rng.normal(size=(100, 12)), "100 rows are few for a density of 12 columns: 120"),
        (lambda rng: rng.poisson(3, size=(300, 3)), "column 0 has .* different values in 300 rows, as have 2 more"),
        (lambda rng: np.c_[rng.normal(size=300), rng.integers(0, 2, 300)], "column 1 has 2 different values"),
        (lambda rng: np.repeat(rng.normal(size=(100, 2)), 2, axis=0), "100 of 200 rows repeat"),
    ],
)
def test_rows_that_are_few_or_no_draws_from_a_density_are_warned_of_once(rng, make, said) -> None:
    with pytest.warns(UserWarning, match=said) as found:
        DiScoFormerDensity(n_importance=0).fit(make(rng))
    assert len(found) == 1 and "\n" not in str(found[0].message) and found[0].filename == __file__


@pytest.mark.parametrize("decimals", [2, 15])
def test_enough_rows_of_continuous_columns_are_not_warned_of(rng, decimals) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DiScoFormerDensity(n_importance=0).fit(rng.normal(size=(400, 2)).round(decimals))
