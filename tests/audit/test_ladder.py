"""Steps between noise levels: each draws from the density that it states, and a ladder has no wide gap."""

import math

import numpy as np
import torch

from molscore.audit.ladder import Rung, Step, ladder, read, spreads
from tests.audit.known import Known, shapes

N = 4000


def test_steps_up_reach_the_next_level(generator: torch.Generator) -> None:
    mask = torch.ones(N, 4, dtype=torch.bool)
    y = Step(0.3, 0.5, 0.1).up(torch.zeros(N, 4, 3, dtype=torch.float64), mask, generator)
    assert abs(float(y.square().sum((1, 2)).mean()) / 9 - (0.25 - 0.09)) < 0.005
    assert y.sum(1).abs().max() < 1e-12


def test_a_step_down_undoes_a_step_up_where_clean_positions_are_known(generator: torch.Generator) -> None:
    """From one clean point, up and down are the same joint density: the work is constant and the variance right."""
    mask = torch.ones(N, 4, dtype=torch.bool)
    D, step = torch.zeros(N, 4, 3, dtype=torch.float64), Step(0.3, 0.5, 0.0)

    def rung(y: torch.Tensor, sigma: float) -> Rung:
        U = y.square().sum((1, 2)) / (2 * sigma**2) + 9 / 2 * math.log(2 * math.pi * sigma**2)
        return Rung(y, D, U)

    low = rung(0.3 * (step.up(D, mask, generator) / 0.4), 0.3)
    high = rung(step.up(low.y, mask, generator), 0.5)
    down = rung(step.down(high, mask, generator), 0.3)
    assert abs(float(down.y.square().sum((1, 2)).mean()) / 9 - 0.09) < 0.003
    for below in (low, down):
        assert step.log_work(below, high, mask).abs().max() < 1e-9
    assert Step(0.3, 0.5, 0.4).log_work(low, high, mask).std() > 0.1


def test_spreads_are_those_of_the_posterior(generator: torch.Generator) -> None:
    mixture = shapes(generator)
    mixture.means, mixture.variances = torch.zeros_like(mixture.means), torch.full((3,), 0.04, dtype=torch.float64)
    x = mixture.sample(2000, generator)[0]
    levels = np.array([0.05, 0.2, 2.0])
    expected = np.sqrt(levels**2 * 0.04 / (levels**2 + 0.04))
    np.testing.assert_allclose(spreads(Known(mixture, 2000), x, levels, 0), expected, rtol=0.03)


def test_a_reading_denoises(generator: torch.Generator) -> None:
    mixture = shapes(generator)
    y = mixture.sample(5, generator, 0.3)[0]
    rung = read(Known(mixture, 5), y, 0.3)
    assert torch.allclose(rung.D, y + 0.09 * mixture.score(y, 0.3))
    assert torch.allclose(rung.U, -mixture.log_density(y, 0.3))


def test_a_ladder_has_both_ends_and_no_wide_gap() -> None:
    levels = ladder(0.003, 50.0, 0.2)
    assert levels[0] == 0.003
    assert math.isclose(levels[-1], 50.0)
    assert np.diff(np.log(levels)).max() <= 0.2 + 1e-12
    assert np.diff(np.log(ladder(0.003, 50.0, 0.4))).max() > 0.2
