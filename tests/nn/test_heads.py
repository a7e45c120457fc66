"""The heads do what their formulas say."""

import torch

from molscore.nn.heads import Preconditioning


def test_preconditioning_gives_inputs_and_targets_unit_variance(float64: torch.dtype) -> None:
    sigma, sigma_N, n = torch.tensor([0.01, 1.4, 40.0]), torch.tensor([1.4, 1.4, 0.7]), 200_000
    c = Preconditioning.at(sigma, sigma_N)
    x, z = sigma_N * torch.randn(n, 3), torch.randn(n, 3)
    y = x + sigma * z
    target = (x - c.c_skip * y) / c.c_out
    torch.testing.assert_close((c.c_in * y).var(0), torch.ones(3), rtol=0.02, atol=0)
    torch.testing.assert_close(target.var(0), torch.ones(3), rtol=0.02, atol=0)
    assert (target * y).mean(0).abs().max() < 0.02 * 40  # nothing of y is left to predict for a Gaussian
