"""Every molecule of a batch is used once: by the density's terms or by denoising."""

import pytest
import torch

from molscore.diffusion.gaussian import centred_noise
from molscore.molecules import Batch
from molscore.nn.checkpoint import build
from molscore.nn.discoformer import DiScoFormer
from molscore.training import add_gradients, step
from molscore.training.config import TrainConfig
from molscore.training.losses import Noised, noised
from tests.training.conftest import TINY
from tests.training.test_losses import GAUSSIAN, SIGMA_N, N

MANY = 7
CONFIG = TrainConfig(data="", out="", log_normal=(-1.0, 0.0), log_normal_density=(0.5, 0.0), uniform_share=0.0)


@pytest.fixture
def network() -> DiScoFormer:
    return build(TINY, (GAUSSIAN,))


@pytest.fixture
def x(generator: torch.Generator) -> Batch:
    """Molecules that can be told apart."""
    mask = torch.ones(MANY, N, dtype=torch.bool)
    return Batch(SIGMA_N * centred_noise(mask, generator), torch.zeros(MANY, N, dtype=torch.long), mask)


@pytest.mark.parametrize("n_dual", [0, 3, MANY])
def test_each_molecule_is_used_once(
    network: DiScoFormer, x: Batch, monkeypatch: pytest.MonkeyPatch, n_dual: int
) -> None:
    taken: list[Noised] = []

    def watched(*arguments: object) -> Noised:
        taken.append(noised(*arguments))
        return taken[-1]

    monkeypatch.setattr(step, "noised", watched)
    parts = add_gradients(network, x, CONFIG, n_dual, torch.Generator().manual_seed(0))
    assert ("denoising" in parts) == (n_dual < MANY)
    assert ("space" in parts) == (n_dual > 0)
    used = torch.cat([noisy.x.positions for noisy in taken])
    assert sorted(used[:, 0, 0].tolist()) == sorted(x.positions[:, 0, 0].tolist())
    noise = {len(noisy.ln_sigma): float(noisy.ln_sigma[0]) for noisy in taken}
    expected = {MANY - n_dual: -1.0, n_dual: 0.5}
    assert noise == pytest.approx({n: level for n, level in expected.items() if n})


def test_a_frozen_trunk_does_not_denoise(network: DiScoFormer, x: Batch) -> None:
    frozen = TrainConfig(data="", out="", frozen_trunk=True)
    parts = add_gradients(network, x, frozen, 3, torch.Generator().manual_seed(0))
    assert parts.keys() == {"space", "time", "consistency", "slope"}


def test_a_frozen_trunk_changes_no_gradient_of_the_head(network: DiScoFormer, x: Batch) -> None:
    def gradients() -> dict[str, torch.Tensor]:
        network.zero_grad()
        add_gradients(network, x, CONFIG, MANY, torch.Generator().manual_seed(0))
        return {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}

    with torch.no_grad():  # a head that starts at zero would have nothing to pass down
        for p in network.parameters():
            p += 0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(1))
    free = gradients()
    for name, p in network.named_parameters():
        p.requires_grad_(name.startswith("density_head."))
    frozen = gradients()
    assert 0 < len(frozen) < len(free)
    assert all(name.startswith("density_head.") for name in frozen)
    for name, gradient in frozen.items():
        torch.testing.assert_close(gradient, free[name])
