"""Every sampler, given a score that is known, draws from the distribution that has it: molecules and vectors alike."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from molscore.diffusion.gaussian import centred_noise
from molscore.diffusion.sampling import ScoreFn, dpm_solver, langevin, noise_levels
from tests.mixtures import GaussianMixture

SAMPLERS: dict[str, Callable[..., Tensor]] = {
    "sde": dpm_solver,
    "sde corrected": partial(dpm_solver, correct=(0.05, 2.0), step_size=0.1),
    "ode": partial(dpm_solver, eta=0.0),
}
N_SAMPLES, LEVELS = 1_500, 60


@pytest.fixture(params=SAMPLERS, ids=str)
def sampler(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def gaussian() -> GaussianMixture:
    """Three atoms around nothing, 0.5 Å wide: d = 6."""
    return GaussianMixture(torch.ones(1), torch.zeros(1, 3, 3), torch.tensor([0.25]))


@pytest.fixture
def modes(generator: torch.Generator) -> GaussianMixture:
    """Two far modes of unequal weight, 0.3 Å wide, on either side of nothing."""
    x = 1.5 * torch.randn(1, 3, 3, generator=generator, dtype=torch.float64)
    return GaussianMixture(torch.tensor([0.3, 0.7]), torch.cat([0.7 * x, -0.3 * x]), torch.tensor([0.09, 0.09]))


def falling(n: int) -> Tensor:
    """n levels and zero."""
    return torch.cat([noise_levels(n, 0.02, 20.0, width=2.0), torch.zeros(1)])


def draw(
    sampler: str,
    score_fn: ScoreFn,
    prior: float,
    generator: torch.Generator,
    n: int = N_SAMPLES,
    levels: int = LEVELS,
    **options: float,
) -> Tensor:
    mask, sigmas = torch.ones(n, 3, dtype=torch.bool), falling(levels)
    noise = lambda y: centred_noise(mask, generator, y.dtype)  # noqa: E731
    y = (float(sigmas[0]) ** 2 + prior**2) ** 0.5 * centred_noise(mask, generator, torch.float64)
    return SAMPLERS[sampler](score_fn, y, sigmas, noise, **options)


def spread(y: Tensor) -> tuple[float, float]:
    """Mean of |y|^2/d and its standard error."""
    squares = y.square().sum((1, 2)) / 6
    return float(squares.mean()), float(squares.std()) / len(y) ** 0.5


def test_a_gaussian_is_recovered_and_a_wrong_score_shows(sampler, gaussian, generator) -> None:
    calls = []

    def score_fn(y: Tensor, sigma: Tensor) -> Tensor:
        calls.append(float(sigma[0]))
        return gaussian.score(y, sigma)

    y = draw(sampler, score_fn, 0.5, generator)
    within = sum(0.05 <= sigma <= 2.0 for sigma in falling(LEVELS)[1:].tolist())
    assert len(calls) == LEVELS + within * ("corrected" in sampler)
    assert min(calls) == pytest.approx(0.02)
    assert y.sum(1).abs().max() < 1e-10
    assert y.mean(0).abs().max() < 4 * 0.5 / N_SAMPLES**0.5
    variance, error = spread(y)
    assert abs(variance - 0.25) < 3 * error + 0.01
    assert error < 0.005
    wrong, error = spread(draw(sampler, lambda y, sigma: 1.3 * gaussian.score(y, sigma), 0.5, generator))
    assert abs(wrong - 0.25) > 3 * error + 0.01
    if sampler == "sde":
        assert spread(draw(sampler, gaussian.score, 0.5, generator, temperature=0.6))[0] < 0.6 * 0.25


def test_the_solver_is_of_second_order(gaussian: GaussianMixture) -> None:
    """On the flow of a Gaussian, a scaling by 0.5/20.006, halving the steps quarters the error."""

    def error(levels: int) -> float:
        generator = torch.Generator().manual_seed(3)
        y = draw("ode", gaussian.score, 0.5, generator, n=50, levels=levels)
        z = centred_noise(torch.ones(50, 3, dtype=torch.bool), torch.Generator().manual_seed(3), torch.float64)
        return float((y - 0.5 * z).norm() / z.norm())

    coarse, fine = error(20), error(40)
    assert coarse / fine > 3
    assert fine < 0.02


def nearest(mixture: GaussianMixture, y: Tensor) -> tuple[Tensor, Tensor]:
    """Share of each mode, and the spread within the modes."""
    k = mixture.responsibilities(y, 0.0).argmax(1)
    return torch.bincount(k, minlength=2) / len(y), (y - mixture.means[k]).square().sum((1, 2)).mean() / 6


def test_modes_keep_their_weights_and_widths(sampler: str, modes: GaussianMixture, generator: torch.Generator) -> None:
    y = draw(sampler, modes.score, modes.deviation, generator)
    shares, within = nearest(modes, y)
    assert float(shares[0]) == pytest.approx(0.3, abs=4 * (0.21 / N_SAMPLES) ** 0.5)
    assert float(within) == pytest.approx(0.09, rel=0.1)
    even = GaussianMixture(torch.ones(2), modes.means, modes.variances)
    other, _ = nearest(modes, draw(sampler, even.score, modes.deviation, generator))
    assert abs(float(other[0]) - 0.3) > 4 * (0.21 / N_SAMPLES) ** 0.5


def test_plain_vectors_use_the_same_sampler(sampler: str, generator: torch.Generator) -> None:
    """A Gaussian in the plane with mean (1, -2) and variances 0.25 and 0.04."""
    mean, variance = torch.tensor([1.0, -2.0]), torch.tensor([0.25, 0.04])
    sigmas, noise = falling(LEVELS), lambda y: torch.randn(y.shape, generator=generator)
    y = SAMPLERS[sampler](
        lambda y, sigma: (mean - y) / (variance + sigma[:, None].square()),
        float(sigmas[0]) * noise(torch.zeros(4_000, 2)),
        sigmas,
        noise,
    )
    assert y.dtype == torch.float32
    assert torch.allclose(y.mean(0), mean, atol=0.04)
    assert torch.allclose(y.var(0), variance, rtol=0.1)


def test_langevin_keeps_a_density_and_leaves_another(gaussian: GaussianMixture, generator: torch.Generator) -> None:
    mask = torch.ones(N_SAMPLES, 3, dtype=torch.bool)
    y, narrow = gaussian.sample(N_SAMPLES, generator, sigma=0.3)[0], 0.1 * centred_noise(mask, generator, torch.float64)
    for _ in range(30):
        y, narrow = (
            langevin(gaussian.score, x, 0.3, lambda x: centred_noise(mask, generator, x.dtype), step_size=0.1)
            for x in (y, narrow)
        )
    assert spread(y)[0] == pytest.approx(0.34, rel=0.06)  # 0.25 + 0.3²
    assert 0.1 < spread(narrow)[0] < 0.3


def test_levels_fall_from_end_to_end_crowded_in_the_middle() -> None:
    for width in (0.3, 0.7, 3.0):
        levels = noise_levels(30, 0.004, 12.0, 0.6, width)
        assert levels.dtype == torch.float64
        assert levels[[0, -1]].tolist() == pytest.approx([12.0, 0.004], rel=1e-12)
        assert (levels.diff() < 0).all()
        steps = torch.asinh(torch.log(levels / 0.6) / width).diff()
        torch.testing.assert_close(steps, steps.mean().expand(29), rtol=1e-9, atol=0)
    even, *crowded = (noise_levels(40, 0.01, 10.0, 0.6, width) for width in (100.0, 1.0, 0.3))
    shares = [int(((levels > 0.3) & (levels < 1.2)).sum()) for levels in (even, *crowded)]
    assert shares == sorted(set(shares))
    torch.testing.assert_close(even.log().diff(), even.log().diff().mean().expand(39), rtol=1e-3, atol=0)
    assert noise_levels(1, 0.1, 3.0).tolist() == pytest.approx([3.0])
    for n, low, high, width in ((0, 0.1, 1.0, 1.0), (5, 0.0, 1.0, 1.0), (5, 2.0, 1.0, 1.0), (5, 0.1, 1.0, 0.0)):
        with pytest.raises(ValueError, match="sigma_min < sigma_max"):
            noise_levels(n, low, high, width=width)
