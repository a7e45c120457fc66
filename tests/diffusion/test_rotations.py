"""Averages over rotations against closed forms, sums over many rotations and derivatives."""

import math

import pytest
import torch

from molscore.diffusion import gaussian
from molscore.diffusion.gaussian import log_rotation_average
from tests.mixtures import random_rotations


def diagonal(*s: float) -> torch.Tensor:
    return torch.diag(torch.tensor(s, dtype=torch.float64))


@pytest.fixture
def matrices(generator: torch.Generator) -> torch.Tensor:
    """(30, 3, 3) matrices of sizes from 0.1 to 1000, of both orientations."""
    F = torch.randn(30, 3, 3, generator=generator, dtype=torch.float64)
    return F * torch.logspace(-1, 3, 30, dtype=torch.float64)[:, None, None]


def test_one_direction_and_equal_ones_have_closed_forms() -> None:
    for a in (1e-3, 1.0, 30.0, 1e3, 1e6):  # sinh(a)/a
        exact = a + math.log1p(-math.exp(-2 * a)) - math.log(2 * a)
        assert float(log_rotation_average(diagonal(a, 0, 0))[0]) == pytest.approx(exact, abs=1e-9)
    for a in (1.0, 100.0, 1e4):  # e^a (I_0(2a) - I_1(2a))
        b = torch.tensor(2 * a).double()
        exact = 3 * a + torch.log(torch.special.i0e(b) - torch.special.i1e(b))
        assert float(log_rotation_average(diagonal(a, a, a))[0] - exact) == pytest.approx(0, abs=1e-7)


def test_halving_the_step_changes_nothing(matrices: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, R = log_rotation_average(matrices)
    monkeypatch.setattr(gaussian, "STEP", 0.1)
    fine, R_fine = log_rotation_average(matrices)
    torch.testing.assert_close(whole, fine, rtol=0, atol=1e-9)
    torch.testing.assert_close(R, R_fine, rtol=0, atol=1e-9)
    monkeypatch.setattr(gaussian, "STEP", 2.0)
    assert (log_rotation_average(matrices)[0] - fine).abs().max() > 1e-3


def test_the_average_over_many_rotations_agrees(generator: torch.Generator) -> None:
    F = torch.randn(5, 3, 3, generator=generator, dtype=torch.float64)
    R = random_rotations(100_000, generator)
    weight = torch.exp(torch.einsum("rij,bij->br", R, F))
    ln_c, mean = log_rotation_average(F)
    error = weight.std(1) / weight.mean(1) / len(R) ** 0.5
    assert ((weight.mean(1).log() - ln_c).abs() < 4 * error).all()
    sampled = torch.einsum("br,rij->bij", weight / weight.sum(1, keepdim=True), R)
    assert (sampled - mean).abs().max() < 0.02


def test_the_mean_rotation_is_the_derivative(matrices: torch.Tensor) -> None:
    F = matrices.requires_grad_()
    ln_c, R = log_rotation_average(F)
    (gradient,) = torch.autograd.grad(ln_c.sum(), F)
    torch.testing.assert_close(R.detach(), gradient, rtol=0, atol=1e-9)


def test_rotating_either_side_changes_nothing_and_reflecting_does(matrices, generator) -> None:
    A, B = random_rotations(30, generator), random_rotations(30, generator)
    ln_c, R = log_rotation_average(matrices)
    turned, R_turned = log_rotation_average(A @ matrices @ B)
    torch.testing.assert_close(turned, ln_c, rtol=1e-10, atol=1e-9)
    torch.testing.assert_close(R_turned, A @ R @ B, rtol=0, atol=1e-7)
    assert (log_rotation_average(-matrices)[0] - ln_c).abs().max() > 1
