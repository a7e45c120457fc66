"""The accepted chain keeps a known density whatever its step; without the acceptance, the same step is biased."""

from functools import partial

import pytest
import torch
from torch import Tensor

from molscore.diffusion.gaussian import centred_noise
from molscore.diffusion.levels import noise_levels
from molscore.diffusion.metropolis import DensityFn, annealed_metropolis, metropolis_langevin
from molscore.diffusion.mixture import GaussianMixture

SIGMA, N_SAMPLES, MOVES = 0.3, 4_000, 25
STEP_SIZE = 0.6  # of sigma^2; unadjusted Langevin at step e widens a Gaussian of variance v to v/(1 - e/2v)


@pytest.fixture
def gaussian() -> GaussianMixture:
    """Three atoms around nothing, a point before the noise is added: p_sigma has variance sigma^2, d = 6."""
    return GaussianMixture(torch.ones(1), torch.zeros(1, 3, 3), torch.tensor([1e-6]))


@pytest.fixture
def modes(generator: torch.Generator) -> GaussianMixture:
    """Two modes of unequal weight and width, near enough to overlap at sigma."""
    x = torch.randn(1, 3, 3, generator=generator, dtype=torch.float64)
    x = x - x.mean(1, keepdim=True)
    x = 0.5 * x / x.square().sum().sqrt()
    return GaussianMixture(torch.tensor([0.3, 0.7]), torch.cat([x, -x]), torch.tensor([1e-4, 0.04]))


@pytest.fixture(params=["gaussian", "modes"])
def mixture(request: pytest.FixtureRequest) -> GaussianMixture:
    return request.getfixturevalue(request.param)


def known(mixture: GaussianMixture, slope: float = 1.0) -> DensityFn:
    """The density with its gradient, or with one that is off by a factor."""
    return lambda y, sigma: (mixture.log_density(y, sigma), slope * mixture.score(y, sigma))


def everywhere(y: Tensor) -> Tensor:
    """A mask without padding."""
    return torch.ones(y.shape[:2], dtype=torch.bool)


def unadjusted(mixture: GaussianMixture, y: Tensor, generator: torch.Generator) -> Tensor:
    """The same moves, all of them accepted."""
    e, level = STEP_SIZE * SIGMA**2, y.new_full((len(y),), SIGMA)
    for _ in range(MOVES):
        y = y + e * mixture.score(y, level) + (2 * e) ** 0.5 * centred_noise(everywhere(y), generator, y.dtype)
    return y


def deviations(mixture: GaussianMixture, y: Tensor, generator: torch.Generator) -> list[float]:
    """Moments of y beside those of exact samples, in standard errors: |y|^2, log p, each coordinate's mean."""
    exact = mixture.sample(40_000, generator, SIGMA)[0]

    def moments(x: Tensor) -> Tensor:
        squares = x.square().sum((1, 2))
        return torch.cat([torch.stack([squares, mixture.log_density(x, SIGMA)], 1), x.flatten(1)], 1)

    ours, theirs = moments(y), moments(exact)
    error = (ours.var(0) / len(y) + theirs.var(0) / len(exact)).sqrt()
    return ((ours.mean(0) - theirs.mean(0)) / error).abs().tolist()


def test_the_density_is_left_as_it_is(mixture: GaussianMixture, generator: torch.Generator) -> None:
    start = mixture.sample(N_SAMPLES, generator, SIGMA)[0]
    chain = metropolis_langevin(known(mixture), start, everywhere(start), SIGMA, MOVES, generator, STEP_SIZE)
    assert 0.4 < float(chain.acceptance.mean()) < 0.95  # it moves, and it refuses
    assert max(deviations(mixture, chain.positions, generator)) < 4
    assert max(deviations(mixture, unadjusted(mixture, start, generator), generator)[:2]) > 8  # the control


def test_a_wrong_start_is_forgotten(mixture: GaussianMixture, generator: torch.Generator) -> None:
    start = 1.5 * mixture.sample(N_SAMPLES, generator, SIGMA)[0]
    assert max(deviations(mixture, start, generator)) > 8
    chain = metropolis_langevin(known(mixture), start, everywhere(start), SIGMA, 2 * MOVES, generator, STEP_SIZE)
    assert max(deviations(mixture, chain.positions, generator)) < 4


def test_the_density_decides_and_not_its_gradient(modes: GaussianMixture, generator: torch.Generator) -> None:
    start = modes.sample(N_SAMPLES, generator, SIGMA)[0]
    run = partial(metropolis_langevin, mask=everywhere(start), sigma=SIGMA, moves=MOVES, generator=generator)
    assert max(deviations(modes, run(known(modes, slope=0.6), start, step_size=0.3).positions, generator)) < 4
    even = GaussianMixture(torch.ones(2), modes.means, modes.variances)
    wrong: DensityFn = lambda y, sigma: (even.log_density(y, sigma), modes.score(y, sigma))  # noqa: E731
    assert max(deviations(modes, run(wrong, start, step_size=0.3).positions, generator)) > 8


def test_the_chain_says_where_it_stands(modes: GaussianMixture, generator: torch.Generator) -> None:
    start = modes.sample(50, generator, SIGMA)[0]
    calls = []
    density_fn: DensityFn = lambda y, sigma: (calls.append(sigma), known(modes)(y, sigma))[1]  # noqa: E731
    chain = metropolis_langevin(density_fn, start, everywhere(start), SIGMA, 4, generator, 1.5)
    assert len(calls) == 5 and all((sigma == SIGMA).all() for sigma in calls)
    torch.testing.assert_close(chain.log_density, modes.log_density(chain.positions, SIGMA))
    torch.testing.assert_close(chain.gradient, modes.score(chain.positions, SIGMA))
    stayed = (chain.positions == start).all((1, 2))
    assert torch.equal(stayed, chain.acceptance == 0)  # each molecule decides for itself
    assert 0 < int(stayed.sum()) < 50
    none = metropolis_langevin(density_fn, start, everywhere(start), SIGMA, 0, generator)
    assert torch.equal(none.positions, start) and (none.acceptance == 0).all()


def test_padding_stays_zero_and_what_is_no_number_is_refused(generator: torch.Generator) -> None:
    mask = torch.arange(5) < torch.tensor([2, 5, 4])[:, None]
    start = torch.zeros(3, 5, 3)

    def density_fn(y: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        log_p = -y.square().sum((1, 2)) / 2
        log_p[1] = torch.nan if (y[1] != 0).any() else log_p[1]
        return log_p, -y

    chain = metropolis_langevin(density_fn, start, mask, 1.0, 6, generator, 0.2)
    assert chain.positions.dtype == torch.float32
    assert (chain.positions[~mask] == 0).all()
    assert chain.positions.sum(1).abs().max() < 1e-5
    assert chain.acceptance[1] == 0 and (chain.positions[1] == 0).all()
    assert min(chain.acceptance[0], chain.acceptance[2]) > 0


def test_the_sampler_ends_at_the_denoised_mean(gaussian: GaussianMixture) -> None:
    """Wide data, E[x | y] known: what comes out is as wide as the denoised means of exact samples of p_sigma."""
    wide = GaussianMixture(torch.ones(1), gaussian.means, torch.tensor([0.25]))
    mask, levels = torch.ones(2_000, 3, dtype=torch.bool), noise_levels(20, SIGMA, 20.0, width=2.0)

    def drawn(seed: int, moves: int) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(seed)
        chain = annealed_metropolis(
            wide.score, known(wide), mask, levels, torch.full((2_000,), 0.5), generator, moves, 0.6, dtype=torch.float64
        )
        return chain.positions, chain.acceptance

    expected = 0.25**2 / (0.25 + SIGMA**2)  # variance of E[x | y]
    (x, acceptance), (few, _) = drawn(1, 30), drawn(1, 0)
    assert float(x.square().mean() * 1.5) == pytest.approx(expected, rel=0.05)
    assert float(few.square().mean() * 1.5) < 0.9 * expected  # twenty ancestral steps alone are too narrow
    assert torch.equal(drawn(1, 30)[0], x) and not torch.equal(drawn(2, 30)[0], x)
    assert 0.5 < float(acceptance.mean()) < 1
