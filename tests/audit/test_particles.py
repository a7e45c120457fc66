"""Particles find log Z of a density whose normaliser is known, whatever the score that leads them."""

import numpy as np
import pytest
import torch

from molscore.audit.ladder import ladder, spreads
from molscore.audit.particles import descend, effective
from tests.audit.known import Known, shapes, water

PARTICLES = 100


class Misled(Known):
    """The right U, and a score that pulls too hard."""

    def estimate(self, y: torch.Tensor, sigma: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        score, U = super().estimate(y, sigma)
        return 1.1 * score, U


def log_Z(density: Known, levels: np.ndarray, generator: torch.Generator) -> np.ndarray:
    x = density.mixture.sample(len(density.mask), generator)[0]
    return descend(density, levels, spreads(density, x, levels, 0), generator).log_Z


@pytest.mark.parametrize(("make", "n"), [(shapes, 200), (lambda generator: water(), 100)])
def test_a_true_density_is_normalised(make, n: int, generator: torch.Generator) -> None:
    levels = ladder(0.05, 20.0, 0.25)
    assert np.abs(log_Z(Known(make(generator), n), levels, generator)).max() < 0.5


def test_a_shift_is_found(generator: torch.Generator) -> None:
    levels = ladder(0.05, 20.0, 0.25)
    density = Known(shapes(generator), 200, lambda y, sigma: 2.0 * (sigma < 0.3))
    found = log_Z(density, levels, generator)
    np.testing.assert_allclose(found[levels < 0.3], -2.0, atol=0.3)
    np.testing.assert_allclose(found[levels >= 0.3], 0.0, atol=0.3)


def test_a_wrong_score_costs_particles_and_not_truth(generator: torch.Generator) -> None:
    levels = ladder(0.1, 20.0, 0.2)
    mixture = shapes(generator)
    found = []
    for density in (Known(mixture, PARTICLES), Misled(mixture, PARTICLES)):
        tau = spreads(density, mixture.sample(PARTICLES, generator)[0], levels, 0)
        found.append(descend(density, levels, tau, generator))
    assert abs(found[1].log_Z[0]) < 0.5
    assert found[1].effective.min() < found[0].effective.min()
    assert found[1].ancestors[0] < PARTICLES


def test_effective_particles() -> None:
    assert effective(torch.zeros(10, dtype=torch.float64)) == pytest.approx(10)
    assert effective(torch.tensor([0.0, -800.0], dtype=torch.float64)) == pytest.approx(1)
