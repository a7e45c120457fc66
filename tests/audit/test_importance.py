"""Particles find log Z of a density whose normaliser is known, whatever the score that leads them."""

import numpy as np
import pytest
import torch

from molscore.audit import Options
from molscore.audit.importance import anneal, effective, formulas_of, importance
from molscore.audit.normalisation import deviations_of
from molscore.datasets.store import MoleculeSet
from tests import tiny
from tests.audit.known import Known, shapes, water

PARTICLES = 100
LEVELS = np.geomspace(0.05, 20.0, 25)


class Misled(Known):
    """The right U, and a score that pulls too hard."""

    def estimate(self, y: torch.Tensor, sigma: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        score, U = super().estimate(y, sigma)
        return 1.1 * score, U


def run(density: Known, generator: torch.Generator):
    x = density.mixture.sample(len(density.mask), generator)[0]
    return anneal(density, LEVELS, deviations_of(density, x, LEVELS, 0), generator)


@pytest.mark.parametrize(("make", "n"), [(shapes, 200), (lambda generator: water(), 100)])
def test_a_true_density_is_normalised(make, n: int, generator: torch.Generator) -> None:
    assert np.abs(run(Known(make(generator), n), generator).log_Z).max() < 0.5


def test_a_shift_is_found(generator: torch.Generator) -> None:
    found = run(Known(shapes(generator), 200, lambda y, sigma: 2.0 * (sigma < 0.3)), generator).log_Z
    np.testing.assert_allclose(found[LEVELS < 0.3], -2.0, atol=0.3)
    np.testing.assert_allclose(found[LEVELS >= 0.3], 0.0, atol=0.3)


def test_a_wrong_score_costs_particles_and_not_truth(generator: torch.Generator) -> None:
    mixture = shapes(generator)
    right, misled = (run(kind(mixture, PARTICLES), generator) for kind in (Known, Misled))
    assert abs(misled.log_Z[2]) < 0.5
    assert misled.effective.min() < right.effective.min()
    assert misled.ancestors[0] < PARTICLES


def test_effective_particles() -> None:
    assert effective(torch.zeros(10, dtype=torch.float64)) == pytest.approx(10)
    assert effective(torch.tensor([0.0, -800.0], dtype=torch.float64)) == pytest.approx(1)


def test_formulas_are_the_smallest_and_the_smallest_that_are_not_rare() -> None:
    water, methane, ethane = (next(m for m in tiny.geometries() if m.formula == f) for f in ("H2O", "CH4", "C2H6"))
    molecules = MoleculeSet.from_molecules([ethane, methane, methane, water, *[ethane] * 4])
    assert formulas_of(molecules, 2) == [(3, 1), (0, 5)]
    assert formulas_of(molecules, 9) == [(3, 1), (1, 2), (0, 5)]


def test_a_model_is_taken_through(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SPACING": 1.0, "PARTICLES": 4, "FEWER": 3, "RUNS": 2}.items():
        monkeypatch.setattr(f"molscore.audit.importance.{name}", value)
    options = Options(molecules=2, resolution=0.2, sigma_min=0.1, sigma_max=10.0)
    part = importance(tiny.model(), MoleculeSet.from_molecules(tiny.geometries()), options)
    assert [row[0] for row in part.tables[0].rows] == ["H2O", "CHN"]
    assert np.isfinite([row[1:] for row in part.tables[0].rows]).all()
    assert len(part.checks) == 4 and part.checks[0].passed is None
