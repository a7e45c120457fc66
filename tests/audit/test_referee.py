"""The referee's work survives a kill, is shared without overlap, and what it says is summed up rightly."""

from functools import partial

import numpy as np
import pytest
import torch

from molscore.audit import Options
from molscore.audit.agreement import Wording, agreement_part, rank_correlation, within
from molscore.audit.density import ModelDensity
from molscore.audit.judged import Judged, Notebook, read_all
from molscore.audit.referee import by_formula, judge
from molscore.datasets.store import MoleculeSet
from molscore.errors import InputError
from molscore.evaluation.bootstrap import bootstrap_interval
from tests import tiny

WORDING = Wording("referee", "Referee", "32 exact traces")


class Counting:
    """A referee that agrees but for one nat, and can be killed."""

    def __init__(self, stop_after: int = 10**6) -> None:
        self.molecules, self.stop_after = 0, stop_after

    def __call__(
        self, density: ModelDensity, y: torch.Tensor, rows: list[int], sigma: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if self.molecules >= self.stop_after:
            raise KeyboardInterrupt
        self.molecules += len(y)
        with torch.no_grad():
            return -density.estimate(y, y.new_full((len(y),), sigma))[1] - 1.0, torch.full((len(y),), 0.5)


@pytest.fixture
def held_out(rng) -> MoleculeSet:
    """The library, thrice, slightly shaken: formulas with several members."""
    shaken = MoleculeSet.from_molecules([*tiny.geometries()] * 3)
    noise = 0.05 * rng.standard_normal(shaken.positions.shape)
    return MoleculeSet(shaken.numbers, shaken.positions + noise, shaken.sizes)


def test_the_formulas_with_most_members_come_first(held_out: MoleculeSet) -> None:
    groups = by_formula(held_out, 16)
    formulas = [{held_out[row].formula for row in rows.tolist()} for rows in groups]
    assert sum(map(len, groups)) == 16
    assert all(len(names) == 1 for names in formulas)
    assert len(set.union(*formulas)) == len(groups) == 4


def test_a_killed_run_carries_on_and_shares_add_up(held_out: MoleculeSet, tmp_path) -> None:
    model, options = tiny.model(), Options(referee=24, output=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        judge(model, held_out, options, Notebook(tmp_path, "key", (1, 1)), Counting(stop_after=8))
    before = read_all(tmp_path, "key")
    assert 8 <= len(before) < 24
    for i in (1, 2):
        share = options.but(share=(i, 2))
        judge(model, held_out, share, Notebook(tmp_path, "key", (i, 2)), Counting())
    found = read_all(tmp_path, "key")
    assert len(found) == 24
    assert [row for row in found if row in before] == before
    again = Counting()
    judge(model, held_out, options, Notebook(tmp_path, "key", (1, 1)), again)
    assert again.molecules == 0
    assert read_all(tmp_path, "other key") == []
    np.testing.assert_allclose([row.log_density - row.referee for row in found], 1.0, atol=1e-3)
    assert {row.error for row in found} == {0.5}


def test_what_is_no_notebook_is_refused(tmp_path) -> None:
    (tmp_path / "referee-key-1of1.csv").write_text("row,formula\nx,y\n")
    with pytest.raises(InputError, match="not a file of the referee"):
        Notebook(tmp_path, "key", (1, 1))


def judged(model: np.ndarray, truth: np.ndarray, formulas: list[str]) -> list[Judged]:
    rows = zip(model.tolist(), truth.tolist(), formulas, strict=True)
    return [Judged(k, name, 9, a, b, 0.5, 0.001, 1.0) for k, (a, b, name) in enumerate(rows)]


def test_agreement_is_summed_up_and_bounds_hold(rng: np.random.Generator, monkeypatch) -> None:
    quick = partial(bootstrap_interval, resamples=100)
    monkeypatch.setattr("molscore.audit.agreement.bootstrap_interval", quick)
    truth, formulas = rng.normal(0, 7, 200), [f"C{k % 10}" for k in range(200)]
    good = agreement_part(judged(truth + rng.normal(0.5, 0.5, 200), truth, formulas), 0.05, WORDING)
    assert [verdict.passed for verdict in good.verdicts] == [True] * 4
    rmse, mean, spread = (row for row in good.tables[0].rows[:3])
    assert rmse[1] ** 2 == pytest.approx(mean[1] ** 2 + spread[1] ** 2)
    assert mean[2] < 0.5 < mean[3]
    biased = agreement_part(judged(truth + 3.0, truth, formulas), 0.05, WORDING)
    assert [verdict.passed for verdict in biased.verdicts] == [False, False, True, True]
    few = agreement_part(judged(truth[:8] + np.array([4.5, *[0.0] * 7]), truth[:8], formulas[:8]), 0.05, WORDING)
    assert few.verdicts[0].passed is None  # 1.6, but eight molecules do not tell
    assert "too few molecules" in few.verdicts[0].why
    noisy = agreement_part(judged(truth + rng.normal(0, 7, 200), truth, formulas), 0.05, WORDING)
    assert [verdict.passed for verdict in noisy.verdicts] == [False, True, False, True]


def test_ranks_within_a_formula_are_blind_to_what_formulas_differ_by(rng: np.random.Generator) -> None:
    labels = np.repeat(["a", "b", "c", "d"], 50)
    offsets, noise = np.repeat([0.0, 30.0, 60.0, 90.0], 50), rng.normal(size=(2, 200))
    assert rank_correlation(offsets + noise[0], offsets + noise[1]) > 0.9
    value, (low, high) = within(offsets + noise[0], offsets + noise[1], labels)
    assert abs(value) < 0.2
    assert low <= value <= high
    assert within(noise[0], np.exp(noise[0]), labels)[0] == pytest.approx(1.0)


def test_what_a_referees_noise_takes_from_ranks_is_given_back(rng: np.random.Generator) -> None:
    labels = np.repeat([f"C{k}" for k in range(20)], 100)
    truth, off, noise = rng.normal(size=(3, 2000)) * np.array([[6.0], [1.6], [2.0]])
    exact = within(truth + off, truth, labels)[0]
    noisy = within(truth + off, truth + noise, labels)[0]
    assert noisy < exact - 0.03
    assert within(truth + off, truth + noise, labels, 2.0)[0] == pytest.approx(exact, abs=0.01)
    assert within(truth, truth, labels, 100.0)[0] == pytest.approx(1.0)  # a noise above all that varies tells nothing


def test_nothing_judged_is_said() -> None:
    assert agreement_part([], 0.05, WORDING).verdicts[0].passed is None
