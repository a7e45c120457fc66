"""Every sampler, given a score that is known, draws from the distribution that has it."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from molscore.diffusion.levels import noise_levels
from molscore.diffusion.mixture import GaussianMixture
from molscore.diffusion.sampling import annealed_langevin, probability_flow, stochastic_heun

SAMPLERS = {
    "langevin": annealed_langevin,
    "langevin corrected": partial(annealed_langevin, corrections=1),
    "heun": stochastic_heun,
    "flow": probability_flow,
}
# Ancestral steps narrow every mode by a share that falls as 1/levels; Heun's method is of second order.
LEVELS = {"langevin": 160, "langevin corrected": 100, "heun": 40, "flow": 40}
N_SAMPLES = 1_500
ScoreFn = Callable[[Tensor, Tensor], Tensor]


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


def draw(sampler: str, score_fn: ScoreFn, prior: float, generator: torch.Generator, n: int = N_SAMPLES) -> Tensor:
    mask = torch.ones(n, 3, dtype=torch.bool)
    levels = noise_levels(LEVELS[sampler], 0.02, 20.0, width=2.0)
    return SAMPLERS[sampler](score_fn, mask, levels, torch.full((n,), prior), generator, dtype=torch.float64)


def spread(y: Tensor) -> tuple[float, float]:
    """Mean of |y|^2/d and its standard error."""
    squares = y.square().sum((1, 2)) / 6
    return float(squares.mean()), float(squares.std()) / len(y) ** 0.5


def test_a_gaussian_is_recovered(sampler: str, gaussian: GaussianMixture, generator: torch.Generator) -> None:
    y = draw(sampler, gaussian.score, 0.5, generator)
    assert y.sum(1).abs().max() < 1e-10
    assert y.mean(0).abs().max() < 4 * 0.5 / N_SAMPLES**0.5
    variance, error = spread(y)
    assert abs(variance - 0.25) < 3 * error + 0.01
    assert error < 0.005


def test_a_wrong_score_gives_a_wrong_variance(
    sampler: str, gaussian: GaussianMixture, generator: torch.Generator
) -> None:
    y = draw(sampler, lambda y, sigma: 1.3 * gaussian.score(y, sigma), 0.5, generator)
    variance, error = spread(y)
    assert abs(variance - 0.25) > 3 * error + 0.01


def test_ancestral_steps_narrow_a_gaussian_less_and_less(
    gaussian: GaussianMixture, generator: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def narrowing(levels: int) -> float:
        monkeypatch.setitem(LEVELS, "langevin", levels)
        return 1 - spread(draw("langevin", gaussian.score, 0.5, generator, n=6_000))[0] / 0.25

    coarse, fine = narrowing(20), narrowing(60)
    assert coarse == pytest.approx(3 * fine, rel=0.35)
    assert coarse > 0.1


def nearest(mixture: GaussianMixture, y: Tensor) -> tuple[Tensor, Tensor]:
    """Share of each mode, and the spread within the modes."""
    k = mixture.responsibilities(y, 0.0).argmax(1)
    return torch.bincount(k, minlength=2) / len(y), (y - mixture.means[k]).square().sum((1, 2)).mean() / 6


def test_modes_keep_their_weights_and_widths(
    sampler: str, modes: GaussianMixture, generator: torch.Generator
) -> None:
    y = draw(sampler, modes.score, modes.deviation, generator)
    shares, within = nearest(modes, y)
    assert float(shares[0]) == pytest.approx(0.3, abs=4 * (0.21 / N_SAMPLES) ** 0.5)
    assert float(within) == pytest.approx(0.09, rel=0.1)
    exact = modes.sample(N_SAMPLES, generator)[0]
    assert (y.mean(0) - exact.mean(0)).abs().max() < 4 * float(exact.std(0).max()) * (2 / N_SAMPLES) ** 0.5


def test_the_score_of_other_weights_gives_other_weights(
    sampler: str, modes: GaussianMixture, generator: torch.Generator
) -> None:
    even = GaussianMixture(torch.ones(2), modes.means, modes.variances)
    shares, _ = nearest(modes, draw(sampler, even.score, modes.deviation, generator))
    assert abs(float(shares[0]) - 0.3) > 4 * (0.21 / N_SAMPLES) ** 0.5


def test_padding_stays_zero_and_the_rest_is_centred(sampler: str, generator: torch.Generator) -> None:
    mask = torch.arange(5) < torch.tensor([2, 5, 4])[:, None]
    atoms = mask[..., None].float()
    score_fn = lambda y, sigma: -y / (1 + sigma**2)[:, None, None] * atoms  # noqa: E731
    y = SAMPLERS[sampler](score_fn, mask, noise_levels(20, 0.01, 10.0), torch.ones(3), generator)
    assert y.dtype == torch.float32
    assert (y[~mask] == 0).all()
    assert y.sum(1).abs().max() < 1e-5


@pytest.mark.parametrize(("name", "evaluations"), [("langevin", 20), ("langevin corrected", 39), ("heun", 39)])
def test_levels_and_evaluations_are_counted(
    name: str, evaluations: int, gaussian: GaussianMixture, generator: torch.Generator
) -> None:
    seen, calls = [], []

    def score_fn(y: Tensor, sigma: Tensor) -> Tensor:
        calls.append(float(sigma[0]))
        return gaussian.score(y, sigma)

    mask, levels = torch.ones(2, 3, dtype=torch.bool), noise_levels(20, 0.01, 10.0)
    SAMPLERS[name](score_fn, mask, levels, torch.ones(2), generator, callback=lambda step, y: seen.append(step))
    assert seen == list(range(20))
    assert len(calls) == evaluations
    assert min(calls) == pytest.approx(0.01)


def test_the_same_seed_gives_the_same_samples(sampler: str, gaussian: GaussianMixture) -> None:
    first, again, other = (
        draw(sampler, gaussian.score, 0.5, torch.Generator().manual_seed(seed), n=20) for seed in (3, 3, 4)
    )
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert (first != other).any()


def test_the_flow_is_a_map_of_its_start(gaussian: GaussianMixture, generator: torch.Generator) -> None:
    y = draw("flow", gaussian.score, 0.5, torch.Generator().manual_seed(3), n=50)
    start = torch.randn(50, 3, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    start = start - start.mean(1, keepdim=True)
    torch.testing.assert_close(y, 0.5 * start, rtol=0.01, atol=1e-3)  # a Gaussian's flow is a scaling
