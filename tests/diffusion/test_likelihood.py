"""The probability flow finds the log-density of a mixture that is known."""

import math

import pytest
import torch
from torch import Tensor

from molscore.diffusion import gaussian, likelihood
from molscore.diffusion.likelihood import divergence, flow_log_density
from tests.mixtures import GaussianMixture, SymmetrisedMixture

SIGMA = 0.3

# Forward derivatives of some operators are compiled by torch itself.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")


def flow(mixture: GaussianMixture, y: Tensor, nodes: int, sigma_max: float = 30.0) -> Tensor:
    mask = torch.ones(y.shape[:2], dtype=torch.bool)
    prior = torch.full((len(y),), mixture.deviation, dtype=torch.float64)
    return flow_log_density(mixture.score, y, SIGMA, mask, prior, sigma_max=sigma_max, nodes=nodes)


def test_the_trace_is_that_of_the_jacobian_whatever_the_padding(plain, generator) -> None:
    y, _ = plain.sample(3, generator, SIGMA)
    padded = torch.cat([y, torch.zeros(3, 2, 3)], dim=1)
    mask, sigma = torch.arange(6).expand(3, 6) < 4, torch.full((3,), SIGMA, dtype=torch.float64)

    def score_fn(q: Tensor, sigma: Tensor) -> Tensor:
        return torch.cat([plain.score(q[:, :4], sigma), 0 * q[:, 4:]], dim=1)

    trace = divergence(score_fn, padded, sigma, mask)
    projection = torch.kron(torch.eye(4) - 1 / 4, torch.eye(3)).double()
    for i in range(3):
        J = torch.autograd.functional.jacobian(lambda q: plain.score(q, SIGMA), y[i : i + 1]).reshape(12, 12)
        assert float(trace[i]) == pytest.approx(float(torch.trace(J @ projection)), rel=1e-9)
        assert abs(float(trace[i] - torch.trace(J))) > 1e-3  # the mixture's score is not blind to translation


def test_the_flow_finds_the_density_and_converges(plain: GaussianMixture, generator: torch.Generator) -> None:
    y, _ = plain.sample(12, generator, SIGMA)
    exact = plain.log_density(y, SIGMA)
    errors = [float((flow(plain, y, nodes) - exact).square().mean().sqrt()) for nodes in (4, 12, 36)]
    assert errors[2] < 0.01
    assert errors[0] > 3 * errors[1] > 9 * errors[2]
    assert float(exact.std()) > 0.5


def test_a_symmetrised_mixture_agrees_too(generator: torch.Generator) -> None:
    means = torch.randn(1, 3, 3, generator=generator, dtype=torch.float64)
    mixture = SymmetrisedMixture(torch.ones(1), means, torch.tensor([0.05]), (0, 1, 1), reflect=False)
    y, _ = mixture.sample(3, generator, SIGMA)
    assert (flow(mixture, y, 40, sigma_max=15.0) - mixture.log_density(y, SIGMA)).abs().max() < 0.05


def test_counting_3n_dimensions_would_show(plain, generator, monkeypatch) -> None:
    y, _ = plain.sample(4, generator, SIGMA)
    right = flow(plain, y, 24)

    def all_dimensions(y: Tensor, mask: Tensor, variance: Tensor) -> Tensor:
        shift = 1.5 * torch.log(2 * math.pi * variance)
        return gaussian.gaussian_log_density(y, mask, variance) - shift

    monkeypatch.setattr(likelihood, "gaussian_log_density", all_dimensions)
    wrong, farther = flow(plain, y, 24), flow(plain, y, 28, sigma_max=30.0 * math.e)
    assert (right - wrong).abs().min() > 5
    assert float((wrong - farther).mean()) == pytest.approx(3, abs=0.1)  # three nats for each e-fold of sigma
