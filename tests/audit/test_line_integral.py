"""The line integral of the score says which log-density errs from one noisy copy of a molecule to another."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from molscore.audit import Options
from molscore.audit.line_integral import COPIES, copies, line_integral, line_integral_part
from molscore.audit.referee import flow
from molscore.datasets.store import MoleculeSet
from tests import tiny
from tests.audit.known import Known, shapes

SIGMA = 0.1


def truth(density: Known, y: Tensor, rows: list[int], sigma: float) -> tuple[Tensor, Tensor]:
    found = density.mixture.log_density(y, torch.full((len(y),), sigma, dtype=y.dtype))
    return found, torch.zeros_like(found)


def bent(y: Tensor, sigma: Tensor) -> Tensor:
    return (20 * y).sin().sum((1, 2)) + 3.0


def test_a_true_density_and_the_flow_follow_the_score(generator: torch.Generator) -> None:
    mixture, n = shapes(generator), 6
    x = mixture.sample(n, generator)[0]
    u, r, L = np.moveaxis(copies(Known(mixture, n), x, np.arange(n), SIGMA, 0, partial(flow, nodes=24)), 1, 0)
    assert np.ptp(L, 1).min() > 0.1  # there is something to follow
    np.testing.assert_allclose(u - u[:, :1], L, atol=1e-4)
    np.testing.assert_allclose(r - r[:, :1], L, atol=0.1)


@pytest.mark.parametrize("wrong", ["one pass", "referee"])
def test_the_one_that_errs_is_named(generator: torch.Generator, wrong: str) -> None:
    mixture, n = shapes(generator), 200
    x = mixture.sample(n, generator)[0]

    def off(density: Known, y: Tensor, rows: list[int], sigma: float) -> tuple[Tensor, Tensor]:
        found, error = truth(density, y, rows, sigma)
        return found - bent(y, torch.full((len(y),), sigma)), error

    density = Known(mixture, n, bent if wrong == "one pass" else None)
    referee = off if wrong == "referee" else truth
    own, between = line_integral_part(copies(density, x, np.arange(n), SIGMA, 0, referee), SIGMA).tables
    deviations = {row[0]: row[1] for row in own.rows}
    assert deviations.pop(wrong) > 1
    assert max(deviations.values()) < 1e-3
    sign = -1 if wrong == "one pass" else 1
    assert sign * between.rows[0][3] == pytest.approx(3, abs=1)


def test_what_all_copies_share_is_told_from_what_they_do_not() -> None:
    n, rng = 4_000, np.random.default_rng(0)
    L, shared, own = (rng.standard_normal((n, k)) for k in (COPIES, 1, COPIES))
    L[:, 0] = 0
    rows = line_integral_part(np.stack([L + 1.5 * shared + 0.5, L + 2 * own, L], 1), 0.05).tables[1].rows
    deviations, means = [row[4] for row in rows], [row[3] for row in rows]
    expected = [math.sqrt(1.5**2 + 2**2 / k) for k in (1, COPIES, math.inf)]
    assert deviations == pytest.approx(expected, rel=0.05)
    assert means == pytest.approx([0.5] * 3, abs=0.1)


def test_a_model_is_taken_through() -> None:
    held_out = MoleculeSet.from_molecules(tiny.geometries())
    options = Options(n=4, referee=8, nodes=2, resolution=0.2, sigma_min=0.15, sigma_max=10.0)
    part = line_integral(tiny.model(), held_out, options)
    assert [len(table.rows) for table in part.tables] == [2, 3]
    assert np.isfinite([row[1] for table in part.tables for row in table.rows]).all()
