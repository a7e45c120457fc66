"""Mixtures of known density: normalised, with the score that is the gradient, with the symmetries they claim."""

import math

import pytest
import torch

from molscore.diffusion.gaussian import centre
from tests.mixtures import GaussianMixture, SymmetrisedMixture, random_rotations

SIGMA = 1.0  # Å: wide enough for one Gaussian to reach every mode


@pytest.fixture(params=["plain", "symmetrised"])
def mixture(request: pytest.FixtureRequest) -> GaussianMixture:
    return request.getfixturevalue(request.param)


def many(mixture: GaussianMixture) -> int:
    """As many samples as take about a second."""
    return 1_200 if isinstance(mixture, SymmetrisedMixture) else 60_000


def wide(mixture: GaussianMixture, sigma: float) -> GaussianMixture:
    """One Gaussian around nothing, as wide as the mixture."""
    variance = torch.tensor([1.2 * (mixture.deviation**2 + sigma**2)])
    return GaussianMixture(torch.ones(1), torch.zeros_like(mixture.means[:1]), variance)


def test_it_integrates_to_one(mixture: GaussianMixture, generator: torch.Generator) -> None:
    around = wide(mixture, SIGMA)
    y, _ = around.sample(many(mixture), generator)
    ratio = (mixture.log_density(y, SIGMA) - around.log_density(y, 0.0)).exp()
    mass, error = float(ratio.mean()), float(ratio.std()) / len(y) ** 0.5
    assert error < 0.03
    assert abs(mass - 1) < 3 * error
    assert abs(mass * math.exp(0.2) - 1) > 3 * error  # 0.2 nats too many would show


@pytest.mark.parametrize("sigma", [0.003, 0.1, 1.0, 30.0])
def test_the_score_is_the_gradient(mixture: GaussianMixture, generator: torch.Generator, sigma: float) -> None:
    y = mixture.sample(40, generator, sigma)[0].requires_grad_()
    (gradient,) = torch.autograd.grad(mixture.log_density(y, sigma).sum(), y)
    score = mixture.score(y, torch.full((40,), sigma)).detach()
    torch.testing.assert_close(score, centre(gradient, torch.ones(40, 4, dtype=torch.bool)), rtol=1e-6, atol=1e-6)
    assert score.sum(1).abs().max() < 1e-8


def test_rotations_reflections_and_like_atoms_change_nothing(plain, symmetrised, generator) -> None:
    y, _ = symmetrised.sample(50, generator, 0.2)
    R = random_rotations(50, generator)
    swap, wrong_swap = [0, 3, 2, 1], [1, 0, 2, 3]
    moved = {"rotated": y @ R.transpose(1, 2), "reflected": -y, "swapped": y[:, swap]}
    before, score = symmetrised.log_density(y, 0.2), symmetrised.score(y, 0.2)
    for image in moved.values():
        torch.testing.assert_close(symmetrised.log_density(image, 0.2), before, rtol=0, atol=1e-9)
    torch.testing.assert_close(symmetrised.score(moved["rotated"], 0.2), score @ R.transpose(1, 2), rtol=0, atol=1e-8)
    torch.testing.assert_close(symmetrised.score(moved["swapped"], 0.2), score[:, swap], rtol=0, atol=1e-8)
    assert (symmetrised.log_density(y[:, wrong_swap], 0.2) - before).abs().max() > 1
    assert (plain.log_density(moved["rotated"], 0.2) - plain.log_density(y, 0.2)).abs().max() > 1
