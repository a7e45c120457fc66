"""The targets are right on average and have less noise; on Gaussian data the closed form is the least of every term."""

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from molscore.diffusion.gaussian import centre, centred_noise
from molscore.molecules import Batch, Distribution
from molscore.nn.checkpoint import build
from molscore.nn.discoformer import Context, DiScoFormer
from molscore.training import losses
from molscore.training.config import DataConfig, TrainConfig
from molscore.training.losses import Noised, denoising_loss, draw_ln_sigma, dual_loss, noised, time_variance
from tests.mixtures import random_rotations
from tests.training.conftest import TINY

N, SIGMA_N, MANY = 4, 0.8, 1_000
D = 3 * (N - 1)
GAUSSIAN = Distribution("gaussian", ("H", "C"), {(2, 2): 1}, dict.fromkeys(range(2, N + 1), SIGMA_N))
TERMS = ("density", "time", "consistency", "slope", "distance", "bonds")
WEIGHTS = TrainConfig((DataConfig("tiny.parquet"),), "", **{f"weight_{name}": 1.0 for name in TERMS})
BONDS = torch.tensor([[0, 1, 0, 0], [1, 0, 2, 0], [0, 2, 0, 1], [0, 0, 1, 0]])


@pytest.fixture
def network() -> DiScoFormer:
    """At its start: the closed form of Gaussian data of deviation `SIGMA_N`."""
    return build(TINY, (GAUSSIAN,))


def molecules(x: Tensor) -> Batch:
    mask = torch.ones(len(x), N, dtype=torch.bool)
    return Batch(centre(x, mask), torch.tensor([0, 1, 1, 0]).expand(len(x), N), mask)


@pytest.fixture
def noisy(generator: torch.Generator) -> Noised:
    """Gaussian molecules with as much noise as data."""
    x = molecules(SIGMA_N * torch.randn(MANY, N, 3, generator=generator))
    return noised(x, torch.full((MANY,), SIGMA_N).log(), generator)


def context(network: DiScoFormer, n: int) -> Context:
    return network.context(torch.zeros(n, dtype=torch.long), torch.full((n,), N))


def parts(network: DiScoFormer, noisy: Noised) -> dict[str, float]:
    given = context(network, len(noisy.y))
    _, found = dual_loss(network, noisy, given, WEIGHTS)
    with torch.no_grad():
        _, more = denoising_loss(network.denoise, noisy, given, BONDS.expand(len(noisy.y), N, N), WEIGHTS)
    return {name: float(part) for name, part in (found | more).items()}


def kabsch(x: Tensor, y: Tensor) -> Tensor:
    """x turned onto y: the likeliest rotation in place of the mean."""
    U, _, Vh = torch.linalg.svd(y.transpose(1, 2) @ x)
    flip = torch.diag_embed(torch.stack([torch.ones(len(x)), torch.ones(len(x)), torch.linalg.det(U @ Vh)], dim=-1))
    return x @ (U @ flip @ Vh).transpose(1, 2)


def z_score(values: Tensor) -> float:
    """How many standard errors a mean is from zero."""
    return float(values.mean().abs() / values.std() * len(values) ** 0.5)


@pytest.mark.parametrize("sigma", [0.1, 0.4])
def test_means_over_rotations_have_the_same_mean_and_less_noise(sigma: float, generator: torch.Generator) -> None:
    """Against functions of y: what a network can learn. The control turns x onto y, as Kabsch does."""
    shape = torch.tensor([[0.0, 0, 0], [1.1, 0, 0], [1.4, 1.0, 0], [2.2, 1.2, 0.9]])
    x = molecules(shape @ random_rotations(20_000, generator, torch.float32))
    found = noised(x, torch.full((20_000,), sigma).log(), generator)
    z = (found.y - x.positions) / sigma
    raw_time = D - z.square().sum((1, 2))
    for g in (found.y, found.y * found.y.square().sum((1, 2), keepdim=True)):
        assert z_score(((found.x_mean - x.positions) * g).sum((1, 2))) < 4
        assert z_score((found.time - raw_time) * g.square().sum((1, 2))) < 4
    off = ((kabsch(x.positions, found.y) - x.positions) * found.y).sum((1, 2))
    assert z_score(off) > 10
    assert found.time.var() < 0.9 * raw_time.var()
    z_mean = (found.y - found.x_mean) / sigma
    assert z_mean.square().sum((1, 2)).mean() < z.square().sum((1, 2)).mean() - 1


#: What moves away from the closed form, and the terms that rise.
WRONG = {
    "density_head.from_cls.2.bias": {"time"},
    "density_head.vector_readout.mix.weight": {"space", "consistency", "slope"},
    "score_head.mix.weight": {"denoising", "space"},
}


def test_the_closed_form_is_the_least(network: DiScoFormer, noisy: Noised) -> None:
    before = parts(network, noisy)
    for (parameter, raised), step in itertools.product(WRONG.items(), (1.0, -1.0)):
        weight = network.get_parameter(parameter).data
        weight.add_(step)
        after = parts(network, noisy)
        weight.sub_(step)
        for name in raised:
            assert after[name] > before[name] + 1e-4, (parameter, name)
        for name in {"denoising", "space"} - raised:  # these are blind to the other's head, and to a constant in U
            assert after[name] == pytest.approx(before[name], abs=1e-4), (parameter, name)


def test_3n_dimensions_are_above_the_closed_form(network, noisy, monkeypatch) -> None:
    residual = parts(network, noisy)["time"]
    wrong = noisy._replace(time=noisy.time + 3)  # d = 3N in place of 3(N - 1)
    v = float(time_variance(noisy.ln_sigma, torch.tensor([D]))[0])
    assert parts(network, wrong)["time"] == pytest.approx(residual + 9 / v, rel=0.1)


def test_distances_and_bonds_are_blind_to_large_noise(network: DiScoFormer, generator: torch.Generator) -> None:
    x = molecules(SIGMA_N * torch.randn(200, N, 3, generator=generator))
    near, far = (parts(network, noised(x, torch.full((200,), s).log(), generator)) for s in (0.1, 5.0))
    assert far["bonds"] < 1e-3 * near["bonds"]
    assert far["distance"] < 1e-3 * near["distance"]
    ln5 = torch.tensor(5.0).log()
    start = network.bond_head.logits
    torch.nn.init.zeros_(start.weight), torch.nn.init.zeros_(start.bias)
    known = 1 / (1 + (0.1 / losses.KNOWN_BELOW) ** 4)
    flat = parts(network, noised(x, torch.full((200,), 0.1).log(), generator))["bonds"]
    assert flat == pytest.approx(float(known * ln5 * N * (N - 1) / N), rel=1e-4)
    given, noisy = context(network, 200), noised(x, torch.full((200,), 0.1).log(), generator)
    unknown = torch.full((200, N, N), -1)  # bonds that are not known teach nothing
    assert float(denoising_loss(network.denoise, noisy, given, unknown, WEIGHTS)[1]["bonds"]) == 0
    assert "bonds" not in denoising_loss(network.denoise, noisy, given, None, WEIGHTS)[1]


def test_a_pull_teaches_what_its_weight_says(network: DiScoFormer, noisy: Noised) -> None:
    with torch.no_grad():
        for p in network.parameters():
            p += 0.1 * torch.randn_like(p)

    def loss(weight: float) -> tuple[float, dict[str, Tensor]]:
        found, terms = dual_loss(network, noisy, context(network, MANY), replace(WEIGHTS, weight_slope=weight))
        return found.item(), terms

    (without, _), (with_it, terms) = loss(0.0), loss(3.0)
    assert with_it - without == pytest.approx(3 * float(terms["slope"]), rel=1e-3)
    assert float(terms["slope"]) > 1e-4


def test_every_parameter_gets_a_gradient_and_one_without_use_is_found(network, generator) -> None:
    """Random weights, both losses on a few molecules with references."""
    network.idle = torch.nn.Parameter(torch.ones(2))
    with torch.no_grad():
        for p in network.parameters():
            p += 0.1 * torch.randn_like(p)
    mask = torch.arange(N) < torch.tensor([2, 3, 4, 4, 4, 3])[:, None]
    elements = torch.randint(2, (6, N), generator=generator) * mask
    x = Batch(SIGMA_N * centred_noise(mask, generator), elements, mask)
    noisy = noised(x, torch.linspace(-2, 1, 6), generator)
    states, present = torch.randn(6, 3, 2 * TINY.dim, generator=generator), torch.ones(6, 3, dtype=torch.bool)
    for terms in (
        lambda given: dual_loss(network, noisy, given, WEIGHTS),
        lambda given: denoising_loss(network.denoise, noisy, given, BONDS.expand(6, N, N), WEIGHTS),
    ):
        given = network.context(torch.zeros(6, dtype=torch.long), x.sizes)
        terms(network.given(given, states, present))[0].backward()
    gradients = {name: p.grad for name, p in network.named_parameters()}
    assert [name for name, g in gradients.items() if g is None or not g.abs().max() > 0] == ["idle"]
    assert all(g.isfinite().all() for name, g in gradients.items() if name != "idle")


def test_noise_levels_are_stratified_within_their_range() -> None:
    settings = replace(WEIGHTS, sigma_min=0.01, sigma_max=20.0)

    def levels(share: float, seed: int = 2, B: int = 64) -> Tensor:
        return draw_ln_sigma(B, settings, (-1.0, 0.5), share, torch.Generator().manual_seed(seed))

    assert torch.equal(levels(0.5), levels(0.5))
    assert not torch.equal(levels(0.5), levels(0.5, seed=3))
    low, high = torch.tensor([0.01, 20.0]).log()
    uniform = levels(1.0).sort().values
    edges = torch.linspace(float(low), float(high), 65)
    assert ((uniform >= edges[:-1] - 1e-4) & (uniform <= edges[1:] + 1e-4)).all()  # one in each stratum
    independent = (low + (high - low) * torch.rand(64)).sort().values
    assert not ((independent >= edges[:-1]) & (independent <= edges[1:])).all()
    normal = levels(0.0, B=4_000)
    assert float(normal.mean()) == pytest.approx(-1.0, abs=0.01)
    assert float(normal.std()) == pytest.approx(0.5, abs=0.01)
    assert float((levels(0.5, B=4_000) > 0.5).float().mean()) > 0.1  # where the normal half does not reach
