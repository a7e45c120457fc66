"""Bennett's estimate finds log Z where the normaliser is known, and the mean error of a density that is wrong."""

import math

import numpy as np
import pytest
import torch

from molscore.audit import Options
from molscore.audit.normalisation import (
    Offsets,
    State,
    Step,
    deviations_of,
    levels_of,
    normalisation,
    offsets,
    works_of,
)
from molscore.datasets.molecule_set import MoleculeSet
from tests import tiny
from tests.audit.known import Error, Known, water
from tests.mixtures import GaussianMixture, shapes

N = 4000
LEVELS = np.geomspace(0.03, 20.0, 28)


def estimate(mixture: GaussianMixture, error: Error | None, generator: torch.Generator, n: int = 300) -> Offsets:
    x, density = mixture.sample(n, generator)[0], Known(mixture, n, error)
    return offsets(*works_of(density, x, LEVELS, deviations_of(density, x, LEVELS, 0), generator))


@pytest.mark.parametrize(("make", "n"), [(shapes, 300), (lambda generator: water(), 20)])
def test_a_true_density_is_normalised(make, n: int, generator: torch.Generator) -> None:
    found = estimate(make(generator), None, generator, n)
    assert np.abs(found.offset).max() < 0.3
    assert np.abs(found.offset / found.error).max() < 4
    assert found.overlap.min() > 0.5


def test_a_shift_at_some_levels_is_found_there(generator: torch.Generator) -> None:
    found = estimate(shapes(generator), lambda y, sigma: 1.5 * (sigma < 0.3), generator)
    np.testing.assert_allclose(found.offset[LEVELS < 0.3], -1.5, atol=0.15)
    np.testing.assert_allclose(found.offset[LEVELS >= 0.3], 0.0, atol=0.15)


def test_an_error_of_the_shape_shows_as_the_mean_error(generator: torch.Generator) -> None:
    """Bounded in y and the same at all low levels, so that no estimate at one y would see it."""
    mixture = shapes(generator)

    def error(y: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return torch.tanh(4 * y[:, 0, 0]) * torch.exp(-sigma.square()) + 0.5 * torch.exp(-sigma.square())

    found = estimate(mixture, error, generator)
    y = mixture.sample(4000, generator, LEVELS[0])[0]
    expected = -float(error(y, torch.tensor(LEVELS[0])).mean())
    assert abs(expected) > 0.3
    assert found.offset[0] == pytest.approx(expected, abs=0.15)


def test_a_step_down_undoes_a_step_up_where_clean_positions_are_known(generator: torch.Generator) -> None:
    """From one clean point, up and down are the same joint density: the work is constant and the variance right."""
    mask = torch.ones(N, 4, dtype=torch.bool)
    D, step = torch.zeros(N, 4, 3, dtype=torch.float64), Step(0.3, 0.5, 0.0)

    def state(y: torch.Tensor, sigma: float) -> State:
        return State(y, D, y.square().sum((1, 2)) / (2 * sigma**2) + 9 / 2 * math.log(2 * math.pi * sigma**2))

    once = step.up(D, mask, generator)
    assert abs(float(once.square().sum((1, 2)).mean()) / 9 - (0.25 - 0.09)) < 0.005
    low = state(0.3 * (once / 0.4), 0.3)
    high = state(step.up(low.y, mask, generator), 0.5)
    down = state(step.down(high, mask, generator), 0.3)
    assert abs(float(down.y.square().sum((1, 2)).mean()) / 9 - 0.09) < 0.003
    for below in (low, down):
        assert step.work(below, high, mask).abs().max() < 1e-9
    assert Step(0.3, 0.5, 0.4).work(low, high, mask).std() > 0.1


def test_a_model_is_taken_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("molscore.audit.normalisation.SPACING", 1.0)
    levels = levels_of(Options(resolution=0.05), 0.2)  # both ends, the resolution and no wide gap
    assert (levels[0], levels[-1]) == (0.003, 50.0) and 0.05 in levels
    assert 0.1 < np.diff(np.log(levels)).max() <= 0.2 + 1e-12
    held_out, settings = MoleculeSet.from_molecules(tiny.geometries()), {"resolution": 0.2, "sigma_min": 0.1}
    part = normalisation(tiny.model(), held_out, Options(molecules=4, sigma_max=10.0, **settings))
    assert part.tables[0].rows[0][0] == "0.1" and len(part.checks) == 2
    assert np.isfinite([row[1:] for row in part.tables[0].rows]).all()
