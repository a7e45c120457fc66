"""Noise levels fall from the first to the last."""

import pytest
import torch

from molscore.diffusion.levels import karras_levels


@pytest.mark.parametrize("rho", [1.0, 3.0, 7.0])
def test_levels_fall_from_end_to_end(rho: float) -> None:
    levels = karras_levels(30, 0.004, 12.0, rho)
    assert levels.dtype == torch.float64
    assert levels[[0, -1]].tolist() == pytest.approx([12.0, 0.004], rel=1e-12)
    assert (levels.diff() < 0).all()
    steps = (levels ** (1 / rho)).diff()
    torch.testing.assert_close(steps, steps.mean().expand(29), rtol=1e-9, atol=0)


def test_a_higher_rho_spends_more_levels_low() -> None:
    low = [int((karras_levels(40, 0.01, 10.0, rho) < 0.5).sum()) for rho in (1.0, 3.0, 7.0)]
    assert low == sorted(low)
    assert low[0] < low[-1]


def test_one_level_is_the_highest() -> None:
    assert karras_levels(1, 0.1, 3.0).tolist() == pytest.approx([3.0])


@pytest.mark.parametrize(("n", "low", "high"), [(0, 0.1, 1.0), (5, 0.0, 1.0), (5, 1.0, 1.0), (5, 2.0, 1.0)])
def test_impossible_levels_are_refused(n: int, low: float, high: float) -> None:
    with pytest.raises(ValueError, match="sigma_min < sigma_max"):
        karras_levels(n, low, high)
