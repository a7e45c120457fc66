"""What goes in and what comes out: tokens that know distances and angles, inputs and targets of unit variance."""

import torch

from molscore.nn.backbone import GraphTokenizer, RadialBasis
from molscore.nn.heads import Preconditioning
from tests.nn.conftest import TINY


def test_the_radial_basis_peaks_at_its_centres_and_dies_without_denormal_numbers() -> None:
    basis = RadialBasis(16, length=1.5, d_min=0.6)
    values = basis(-1.5 * torch.log(basis.mu[1:]))
    torch.testing.assert_close(values.diagonal(offset=1), torch.ones(15), rtol=0, atol=1e-6)
    assert basis(torch.tensor(1e4))[1:].max() < 0.7  # only the basis function of infinity is left
    assert (basis(torch.linspace(0, 100, 1000)) > 1e-37).all()


def test_a_token_knows_the_angles_around_its_atom(float64: torch.dtype) -> None:
    """Three atoms with the same two bonds: the power spectrum tells 90 from 180 degrees."""
    torch.manual_seed(0)
    tokenizer = GraphTokenizer(TINY, 3)
    bent = torch.tensor([[[0.0, 0, 0], [1.0, 0, 0], [0.0, 1.0, 0]]])
    straight = torch.tensor([[[0.0, 0, 0], [1.0, 0, 0], [-1.0, 0, 0]]])
    around_first = torch.zeros(1, 3, 3)
    around_first[:, 0, 1:] = 1.0
    arguments = (torch.zeros(1, 3, dtype=torch.long), around_first, torch.ones(1), torch.zeros(1, TINY.dim))
    scalars = [tokenizer(x, *arguments).scalars[0, 0] for x in (bent, straight, bent[:, [0, 2, 1]])]
    assert (scalars[0] - scalars[1]).abs().max() > 1e-3
    torch.testing.assert_close(scalars[0], scalars[2])


def test_preconditioning_gives_inputs_and_targets_unit_variance(float64: torch.dtype) -> None:
    sigma, sigma_N, n = torch.tensor([0.01, 1.4, 40.0]), torch.tensor([1.4, 1.4, 0.7]), 200_000
    c = Preconditioning.at(sigma, sigma_N)
    x, z = sigma_N * torch.randn(n, 3), torch.randn(n, 3)
    y = x + sigma * z
    target = (x - c.c_skip * y) / c.c_out
    torch.testing.assert_close((c.c_in * y).var(0), torch.ones(3), rtol=0.02, atol=0)
    torch.testing.assert_close(target.var(0), torch.ones(3), rtol=0.02, atol=0)
    assert (target * y).mean(0).abs().max() < 0.02 * 40  # nothing of y is left to predict for a Gaussian
