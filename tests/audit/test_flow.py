"""The flow's log-likelihood is the truth's within its error, survives a kill, and what it says is summed up rightly."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from molscore.audit import Options
from molscore.audit.density import ModelDensity, noise_of
from molscore.audit.flow import (
    COLUMNS,
    by_formula,
    compared,
    flow,
    flow_part,
    line_integral,
    many_paths,
    one_path,
    rank_correlation,
    rank_correlation_within,
)
from molscore.datasets.molecule_set import MoleculeSet
from molscore.diffusion.gaussian import centre
from molscore.errors import InputError
from molscore.evaluation.intervals import bootstrap_interval
from tests import tiny
from tests.audit.known import Known
from tests.mixtures import shapes

SIGMA = 0.1
many = partial(many_paths, paths=12, seed=0)


@pytest.fixture(autouse=True)
def traces(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as these narrow densities need."""
    monkeypatch.setattr("molscore.audit.flow.TRACES_OF_MANY", 20)


class Astray(Known):
    """A score with an error that has no mean and swings from place to place, where shapes are told apart."""

    def score(self, y: Tensor, sigma: Tensor) -> Tensor:
        s = sigma[:, None, None]
        where = torch.exp(-2 * (s / 0.3).log().square())
        return super().score(y, sigma) + centre(0.4 * where * torch.sin(4 * y / s + 1) / s, self.mask)


def noised(density: Known, generator: torch.Generator) -> Tensor:
    x = density.mixture.sample(len(density.mask), generator)[0]
    return x + SIGMA * noise_of(density.mask, range(len(x)), 1).to(x)


def test_the_truth_lies_within_the_standard_error_and_many_paths_err_less_than_one(generator: torch.Generator) -> None:
    mixture, rows = shapes(generator), range(16)
    density, astray = Known(mixture, 16), Astray(mixture, 16)
    y = noised(density, generator)
    truth = mixture.log_density(y, SIGMA)
    assert (one_path(density, y, rows, SIGMA)[0] - truth).abs().mean() < 0.05
    found, error = many(density, y, rows, SIGMA)
    z = (found - truth) / error
    assert 0.02 < error.mean() < 0.5
    assert abs(float(z.mean())) < 0.6
    assert 0.5 < float(z.square().mean().sqrt()) < 1.6
    one = one_path(astray, y, rows, SIGMA)[0] - truth
    mean, error = many(astray, y, rows, SIGMA)
    assert one.std() > 1
    assert (mean - truth).std() < 0.6 * one.std()
    assert error.mean() > 0.2  # and the spread of the paths tells


def test_the_line_integral_of_the_score_is_the_change_of_log_density(generator: torch.Generator) -> None:
    mixture, levels = shapes(generator), torch.full((6,), SIGMA, dtype=torch.float64)
    x, density = mixture.sample(6, generator)[0], Known(mixture, 6)
    start, end = (noise_of(density.mask, range(6), k).to(x) for k in range(2))
    change = mixture.log_density(x + SIGMA * end, SIGMA) - mixture.log_density(x + SIGMA * start, SIGMA)
    found = line_integral(density, x, start, end, levels)
    assert change.abs().max() > 1
    torch.testing.assert_close(found, change, atol=1e-4, rtol=0)
    assert (line_integral(Astray(mixture, 6), x, start, end, levels) - change).abs().max() > 0.01


@pytest.fixture
def held_out(rng) -> MoleculeSet:
    """The library, thrice, slightly perturbed: formulas with several members."""
    found = MoleculeSet.from_molecules([*tiny.geometries()] * 3)
    return MoleculeSet(found.numbers, found.positions + 0.05 * rng.standard_normal(found.positions.shape), found.sizes)


class Counting:
    """An ODE that agrees but for one nat, and can be killed."""

    def __init__(self, stop_after: int = 10**6) -> None:
        self.molecules, self.stop_after = 0, stop_after

    def __call__(self, density: ModelDensity, y: Tensor, rows: list[int], sigma: float) -> tuple[Tensor, Tensor]:
        if self.molecules >= self.stop_after:
            raise KeyboardInterrupt
        self.molecules += len(y)
        with torch.no_grad():
            return -density.estimate(y, y.new_full((len(y),), sigma))[1] - 1.0, torch.full((len(y),), 0.5)


def test_a_killed_run_carries_on_and_shares_add_up(held_out: MoleculeSet, tmp_path) -> None:
    model = tiny.model()

    def run(ode: Counting, share: str = "1/1", **changes) -> pd.DataFrame:
        return compared(model, held_out, Options(molecules=24, output=tmp_path, share=share, **changes), ode)

    with pytest.raises(KeyboardInterrupt):
        run(Counting(stop_after=8))
    files = list(tmp_path.glob("*.csv"))
    before = pd.concat(map(pd.read_csv, files))
    assert 8 <= len(before) < 24
    run(Counting(), "1/2")
    found, again = run(Counting(), "2/2"), Counting()
    assert len(found) == 24 and found["row"].is_unique
    assert found["formula"].nunique() == len(by_formula(held_out, 24)) < 8  # those with most members
    pd.testing.assert_frame_equal(run(again), found)
    assert again.molecules == 0
    merged = found.merge(before, on="row")
    assert (merged["seconds_flow_x"] == merged["seconds_flow_y"]).all()
    np.testing.assert_allclose(found["log_density"] - found["flow"], 1.0, atol=1e-3)
    run(again, seed=1)
    assert again.molecules == 24  # of another seed nothing is kept
    files[0].write_text("row,formula\nx,y\n")
    with pytest.raises(InputError, match="not a file of the audit"):
        run(again)


def rows_of(model: np.ndarray, truth: np.ndarray, formulas: list[str]) -> pd.DataFrame:
    n = len(model)
    columns = (range(n), formulas, [9] * n, model, truth, [0.5] * n, [0.001] * n, [1.0] * n)
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


def test_agreement_is_summed_up_and_bounds_hold(rng: np.random.Generator, monkeypatch) -> None:
    monkeypatch.setattr("molscore.audit.flow.bootstrap_interval", partial(bootstrap_interval, resamples=100))
    truth, formulas = rng.normal(0, 7, 200), [f"C{k % 10}" for k in range(200)]

    def checks(model: np.ndarray, n: int = 200) -> list:
        return flow_part(rows_of(model[:n], truth[:n], formulas[:n]), Options()).checks

    good = flow_part(rows_of(truth + rng.normal(0.5, 0.5, 200), truth, formulas), Options())
    assert [check.passed for check in good.checks] == [True] * 4
    figures = {row[0]: row[1:] for row in good.tables[0].rows}
    rmse, mean = figures["RMSE, nats"], figures["mean difference, nats"]
    assert rmse[0] == pytest.approx(np.sqrt(0.5), abs=0.1) and mean[1] < 0.5 < mean[2]
    assert figures["RMSE less the flow's own error, in squares, nats"][0] ** 2 == pytest.approx(rmse[0] ** 2 - 0.25)
    assert [check.passed for check in checks(truth + 3.0)] == [False, False, True, True]
    assert [check.passed for check in checks(truth + rng.normal(0, 7, 200))] == [False, True, False, True]
    few = checks(truth + np.array([4.5, *[0.0] * 199]), 8)[0]  # 1.6, but eight molecules do not tell
    assert few.passed is None and "too few molecules" in few.why
    assert flow_part(rows_of(truth[:0], truth[:0], []), Options()).checks[0].passed is None


def test_ranks_within_a_formula_are_blind_to_what_formulas_differ_by(rng: np.random.Generator) -> None:
    labels = np.repeat(["a", "b", "c", "d"], 50)
    offsets, noise = np.repeat([0.0, 30.0, 60.0, 90.0], 50), rng.normal(size=(2, 200))
    assert rank_correlation(offsets + noise[0], offsets + noise[1]) > 0.9
    value, low, high = rank_correlation_within(offsets + noise[0], offsets + noise[1], labels)
    assert abs(value) < 0.2 and low <= value <= high
    assert rank_correlation_within(noise[0], np.exp(noise[0]), labels)[0] == pytest.approx(1.0)
    assert np.isnan(rank_correlation_within(noise[0], noise[1], np.arange(200).astype(str))[0])


def test_what_the_flows_noise_takes_from_ranks_is_given_back(rng: np.random.Generator) -> None:
    labels = np.repeat([f"C{k}" for k in range(20)], 100)
    truth, off, noise = rng.normal(size=(3, 2000)) * np.array([[6.0], [1.6], [2.0]])
    exact = rank_correlation_within(truth + off, truth, labels)[0]
    noisy = rank_correlation_within(truth + off, truth + noise, labels)[0]
    assert noisy < exact - 0.03
    assert rank_correlation_within(truth + off, truth + noise, labels, 2.0)[0] == pytest.approx(exact, abs=0.01)
    assert rank_correlation_within(truth, truth, labels, 100.0)[0] == pytest.approx(1.0)  # noise above all that varies


@pytest.mark.parametrize("paths", [1, 4])
def test_a_model_is_taken_through(held_out: MoleculeSet, paths: int, tmp_path, monkeypatch) -> None:
    for name in ("TRACES", "TRACES_OF_MANY"):
        monkeypatch.setattr(f"molscore.audit.flow.{name}", 2)
    part = flow(tiny.model(), held_out, Options(molecules=2, paths=paths, resolution=0.2, output=tmp_path))
    figures = {row[0]: row[1] for row in part.tables[0].rows}
    assert (figures["standard error of the flow, nats"] > 0) is (paths > 1)
    assert len(part.checks) == 4
