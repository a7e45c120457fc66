"""Noise levels fall from the first to the last, and crowd in between."""

import pytest
import torch

from molscore.diffusion.levels import noise_levels


@pytest.mark.parametrize("width", [0.3, 0.7, 3.0])
def test_levels_fall_from_end_to_end(width: float) -> None:
    levels = noise_levels(30, 0.004, 12.0, 0.6, width)
    assert levels.dtype == torch.float64
    assert levels[[0, -1]].tolist() == pytest.approx([12.0, 0.004], rel=1e-12)
    assert (levels.diff() < 0).all()
    steps = torch.asinh(torch.log(levels / 0.6) / width).diff()
    torch.testing.assert_close(steps, steps.mean().expand(29), rtol=1e-9, atol=0)


def test_a_lesser_width_crowds_the_middle_and_a_great_one_is_even_in_ln_sigma() -> None:
    shares = [
        int(((levels > 0.3) & (levels < 1.2)).sum())
        for levels in (noise_levels(40, 0.01, 10.0, 0.6, width) for width in (100.0, 1.0, 0.3))
    ]
    assert shares == sorted(set(shares))
    even = noise_levels(40, 0.01, 10.0, 0.6, 100.0).log().diff()
    torch.testing.assert_close(even, even.mean().expand(39), rtol=1e-3, atol=0)


def test_one_level_is_the_highest() -> None:
    assert noise_levels(1, 0.1, 3.0).tolist() == pytest.approx([3.0])


@pytest.mark.parametrize(
    ("n", "low", "high", "width"),
    [(0, 0.1, 1.0, 1.0), (5, 0.0, 1.0, 1.0), (5, 1.0, 1.0, 1.0), (5, 2.0, 1.0, 1.0), (5, 0.1, 1.0, 0.0)],
)
def test_impossible_levels_are_refused(n: int, low: float, high: float, width: float) -> None:
    with pytest.raises(ValueError, match="sigma_min < sigma_max"):
        noise_levels(n, low, high, width=width)
