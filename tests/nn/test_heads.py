"""The heads do what their formulas say."""

import math
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from molscore.nn.heads import DensityHead, Preconditioning
from molscore.nn.noise import NOISE_WAVES, noise_waves
from tests.nn.conftest import TINY, Inputs, centred


class Features(NamedTuple):
    """Positions with tokens of nothing in particular, and the score head's F."""

    x: Inputs
    F: Tensor
    scalars: Tensor
    vectors: Tensor
    cls: Tensor


@pytest.fixture
def features(float64: torch.dtype, inputs: Callable[..., Inputs]) -> Features:
    x = inputs(float64)
    F = centred(torch.randn(6, 7, 3), x.mask)
    return Features(x, F, torch.randn(6, 7, TINY.dim), torch.randn(6, 7, 3, TINY.vectors), torch.randn(6, TINY.dim))


def randomise(head: torch.nn.Module) -> torch.nn.Module:
    with torch.no_grad():
        for p in head.parameters():
            p.copy_(0.5 * torch.randn_like(p))
    return head


def test_preconditioning_gives_inputs_and_targets_unit_variance(float64: torch.dtype) -> None:
    sigma, sigma_N, n = torch.tensor([0.01, 1.4, 40.0]), torch.tensor([1.4, 1.4, 0.7]), 200_000
    c = Preconditioning.at(sigma, sigma_N)
    x, z = sigma_N * torch.randn(n, 3), torch.randn(n, 3)
    y = x + sigma * z
    target = (x - c.c_skip * y) / c.c_out
    torch.testing.assert_close((c.c_in * y).var(0), torch.ones(3), rtol=0.02, atol=0)
    torch.testing.assert_close(target.var(0), torch.ones(3), rtol=0.02, atol=0)
    assert (target * y).mean(0).abs().max() < 0.02 * 40  # nothing of y is left to predict for a Gaussian


def test_the_energy_is_its_formula(features: Features) -> None:
    """Q in the code is |y - D_U|^2/2 sigma^2 - |y - c_skip y|^2/2 sigma^2, written without dividing by sigma."""
    x, F, scalars, vectors, cls = features
    head, sigma_N = randomise(DensityHead(TINY)), torch.full((6,), 1.3)
    c = Preconditioning.at(x.sigma, sigma_N)
    offset = torch.randn(6, NOISE_WAVES, dtype=x.y.dtype)
    U = head(x.y, F, scalars, vectors, cls, x.mask, c, offset)
    N = x.mask.sum(1)
    d = 3 * (N - 1)
    variance = x.sigma.square() + sigma_N.square()
    gaussian = x.y.square().sum((1, 2)) / (2 * variance) + d / 2 * torch.log(2 * math.pi * variance)
    R = head.per_atom(scalars).squeeze(-1).mul(x.mask).sum(1) / N + head.from_cls(cls).squeeze(-1)
    R = R + (noise_waves(x.sigma) * offset).sum(1)
    F_U = F + head.vector_readout(scalars, vectors, x.mask)
    D_U = c.c_skip[:, None, None] * x.y + c.c_out[:, None, None] * F_U
    skipped = (x.y * (1 - c.c_skip)[:, None, None]).square().sum((1, 2))
    Q = ((x.y - D_U).square().sum((1, 2)) - skipped) / (2 * x.sigma.square())
    torch.testing.assert_close(U.sum(1), gaussian + sigma_N.square() / variance * (d * R + Q), rtol=1e-10, atol=1e-8)
    assert (U[~x.mask] == 0).all()
