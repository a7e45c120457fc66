"""What is wrong with U by a function of the noise alone is mended, and nothing else is touched."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from molscore.datasets.molecule_set import MoleculeSet
from molscore.datasets.statistics import distribution_of
from molscore.molecules import Molecule
from molscore.nn.backbone import NOISE_WAVES, noise_waves
from molscore.nn.checkpoint import Checkpoint, build
from molscore.training.losses import noised
from molscore.training.offset import Residuals, fitted, with_noise_offset
from tests.training.conftest import TINY

N, D = 5, 12
RANGE = (0.01, 20.0)  # Å


@pytest.fixture(scope="module")
def gaussian() -> MoleculeSet:
    """Molecules whose positions are what an untrained network takes them to be."""
    rng = np.random.default_rng(0)
    return MoleculeSet.from_molecules([Molecule(np.full(N, 6), 1.2 * rng.normal(size=(N, 3))) for _ in range(2000)])


@pytest.fixture
def spoilt(gaussian: MoleculeSet) -> Callable[[float], Checkpoint]:
    """An untrained network, right but for a bump in U around 0.4 Å."""

    def make(height: float) -> Checkpoint:
        torch.manual_seed(0)
        distributions = (distribution_of("gaussian", gaussian),)
        network = build(TINY, distributions).eval()
        with torch.no_grad():
            network.noise_offset[0, 14:20] += height
        return Checkpoint(network, distributions, {}, {})

    return make


def offset(checkpoint: Checkpoint) -> torch.Tensor:
    """d s(sigma) r(sigma) in nats at 50 noise levels."""
    sigma = torch.tensor(RANGE).log()
    sigma = torch.linspace(sigma[0], sigma[1], 50).exp()
    sigma_N = checkpoint.network.sigma_N[0, N]
    share = sigma_N**2 / (sigma**2 + sigma_N**2)
    return (D * share * (noise_waves(sigma) @ checkpoint.network.noise_offset[0])).detach()


def test_an_offset_is_taken_back_and_a_right_density_stays(spoilt, gaussian) -> None:
    checkpoint = spoilt(0.2)
    before = offset(checkpoint)
    after = offset(with_noise_offset(checkpoint, [gaussian], RANGE, samples=1024))
    assert before.abs().max() > 3
    assert after.diff().norm() < 0.15 * before.diff().norm()
    fresh, again = spoilt(0.0), with_noise_offset(spoilt(0.0), [gaussian], RANGE, samples=1024)
    assert offset(again).abs().max() < 0.5
    state = fresh.network.state_dict()
    changed = {name for name, value in again.network.state_dict().items() if not torch.equal(value, state[name])}
    assert changed == {"noise_offset"}
    same = with_noise_offset(fresh, [gaussian], RANGE, samples=1024)
    assert torch.equal(same.network.noise_offset, again.network.noise_offset)


def test_a_normalised_density_stays_normalised_on_data_of_another_width(gaussian: MoleculeSet) -> None:
    """exp(-U) of an untrained network integrates to one, whatever the data; the control is the time score's residual.

    U = |y|^2/2v + (d/2) ln 2 pi v, v = sigma^2 + sigma_N^2, solves the equation of diffusion, but over narrower data
    its time score, d sigma^2/v - |y|^2 sigma^2/v^2, has a mean.
    """
    wide = replace(distribution_of("wide", gaussian), sigma_N=dict.fromkeys(range(2, N + 1), 1.5))
    network = build(TINY, (wide,)).eval()
    generator, B = torch.Generator().manual_seed(0), 4096
    x = gaussian.batch(torch.randint(len(gaussian), (B,), generator=generator).numpy(), network.elements)
    low, high = torch.tensor(RANGE).log().tolist()
    noisy = noised(x, torch.empty(B).uniform_(low, high, generator=generator), generator)
    found = Residuals.of(network, noisy, network.context(torch.zeros(B, dtype=torch.long), x.sizes))
    sigma, y = noisy.ln_sigma.exp(), noisy.y
    v = sigma.square() + 1.5**2
    time_score = sigma.square() / v * (D - y.square().sum((1, 2)) / v)
    moved = []
    for residual in (found.residual, time_score - found.target):
        with torch.no_grad():
            network.noise_offset[0].copy_(fitted(found._replace(residual=residual)))
        moved.append(float(offset(Checkpoint(network, (wide,), {}, {})).abs().max()))
    assert moved[0] < 0.4
    assert moved[1] > 1


@pytest.mark.parametrize("shared", [True, False])
def test_the_weights_are_those_of_least_squares(shared: bool) -> None:
    """And what e shares with its target, which has mean zero, is no noise; the control's noise is as large, alone."""
    generator = torch.Generator().manual_seed(0)
    waves = noise_waves(torch.exp(-4 + 7 * torch.rand(4000, generator=generator)))
    truth = 0.1 * torch.randn(NOISE_WAVES, generator=generator)
    t, other = 10 * torch.randn(2, 4000, generator=generator)
    clean = -(10 * waves) @ truth
    found = Residuals(clean + 0.1 * other / 10 - (t if shared else other), t, 10 * waves, waves)
    left = clean + found.slope @ fitted(found).float()
    assert clean.std() > 0.3
    assert (left.std() < 0.05) == shared
