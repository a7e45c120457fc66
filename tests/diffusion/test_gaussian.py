"""Centred noise lives in d = 3(N - 1) dimensions, and the Gaussian density there integrates to one."""

import pytest
import torch

from molscore.diffusion.gaussian import centre, centred_noise, degrees_of_freedom, gaussian_log_density

SIZES = torch.tensor([2, 3, 5, 8])


@pytest.fixture
def mask() -> torch.Tensor:
    """Molecules of 2, 3, 5 and 8 atoms, 500 of each."""
    return (torch.arange(8) < SIZES[:, None]).repeat_interleave(500, dim=0)


def test_centring_is_a_projection_that_keeps_padding_zero(mask: torch.Tensor, generator: torch.Generator) -> None:
    x = torch.randn(*mask.shape, 3, generator=generator, dtype=torch.float64)
    y = centre(x, mask)
    assert y.sum(1).abs().max() < 1e-12
    assert (y[~mask] == 0).all()
    torch.testing.assert_close(centre(y, mask), y, rtol=0, atol=1e-14)
    torch.testing.assert_close(centre(x + 5.0, mask), y, rtol=0, atol=1e-13)


def test_noise_has_three_degrees_of_freedom_less(mask: torch.Tensor, generator: torch.Generator) -> None:
    z = centred_noise(mask, generator, torch.float64)
    squares = z.square().sum((1, 2)).view(4, 500)
    d = degrees_of_freedom(mask).view(4, 500)[:, 0]
    assert d.tolist() == [3, 6, 12, 21]
    error = (2 * d / 500).sqrt()
    assert ((squares.mean(1) - d).abs() < 4 * error).all()
    assert ((squares.mean(1) - (d + 3)).abs() > 4 * error).all()  # 3N is not the dimension


@pytest.mark.parametrize("missing", [0, 3])
def test_the_density_integrates_to_one_over_samples_of_a_wider_one(generator: torch.Generator, missing: int) -> None:
    mask = torch.ones(20_000, 5, dtype=torch.bool)
    wide, narrow = torch.tensor(1.3).double(), torch.tensor(1.0).double()
    y = wide.sqrt() * centred_noise(mask, generator, torch.float64)
    ratio = gaussian_log_density(y, mask, narrow) - gaussian_log_density(y, mask, wide)
    ratio = (ratio + missing / 2 * (wide / narrow).log()).exp()  # what 3N dimensions would give
    error = float(ratio.std()) / len(y) ** 0.5
    assert error < 0.01
    assert (abs(float(ratio.mean()) - 1) < 4 * error) == (missing == 0)
