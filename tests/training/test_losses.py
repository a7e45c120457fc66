"""Each head's target is right: on Gaussian data the closed form meets the floor of every term; nothing else does."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch

from molscore.diffusion import divergence
from molscore.diffusion.gaussian import centred_noise
from molscore.molecules import Batch, Distribution
from molscore.nn.checkpoint import build
from molscore.nn.discoformer import DiScoFormer
from molscore.training import losses
from molscore.training.config import TrainConfig
from molscore.training.losses import Noised, denoising_loss, dual_loss, noised
from tests.training.conftest import TINY

N, SIGMA_N, MANY = 4, 0.8, 2_500
D = 3 * (N - 1)
GAUSSIAN = Distribution("gaussian", ("H", "C"), {(2, 2): 1}, dict.fromkeys(range(2, N + 1), SIGMA_N))
ALL = ("density", "time", "consistency", "slope", "fokker_planck")
WEIGHTS = TrainConfig(data="", out="", **{f"weight_{name}": 1.0 for name in ALL})


@pytest.fixture
def network() -> DiScoFormer:
    """At its start: the closed form of Gaussian data of deviation `SIGMA_N`."""
    return build(TINY, (GAUSSIAN,))


def gaussian(sigma: float, generator: torch.Generator) -> Noised:
    """Gaussian molecules at one noise level."""
    mask = torch.ones(MANY, N, dtype=torch.bool)
    x, z = SIGMA_N * centred_noise(mask, generator), centred_noise(mask, generator)
    elements = torch.tensor([0, 1, 1, 0]).expand(MANY, N)
    return Noised(Batch(x, elements, mask), x + sigma * z, z, torch.full((MANY,), sigma).log())


@pytest.fixture
def noisy(generator: torch.Generator) -> Noised:
    """As much noise as data."""
    return gaussian(SIGMA_N, generator)


def parts(network: DiScoFormer, noisy: Noised) -> dict[str, float]:
    token = torch.zeros(MANY, dtype=torch.long)
    generator = torch.Generator().manual_seed(1)
    found = {name: float(part) for name, part in dual_loss(network, noisy, token, WEIGHTS, generator)[1].items()}
    with torch.no_grad():
        return found | {"denoising": float(denoising_loss(network.denoise, noisy, token, 0.0)[1])}


def floors(noisy: Noised) -> dict[str, float]:
    """The least that each term can be: the variance of its target given y. tau^2 = Var(z | y) per degree of freedom.

    The errors of two probes have nothing to do with each other, so that their product is zero on average.
    """
    tau_2 = SIGMA_N**2 / (SIGMA_N**2 + float(noisy.ln_sigma[0].exp()) ** 2)
    time = tau_2 * (2 - tau_2) / (2 * D)
    return {"denoising": 1.0, "space": tau_2, "time": time, "consistency": 0.0, "slope": 0.0, "fokker_planck": 0.0}


def error(name: str, floor: float) -> float:
    """Five standard errors of a mean over the samples, of the squares of normal numbers or of a chi-square.

    dD/dy is at most the projection on the centred subspace, and v . v of random signs v of N atoms, centred, has the
    variance 6 (1 - 1/N).
    """
    if name == "fokker_planck":
        return 5 * 6 * (1 - 1 / N) / (4 * D**2) / MANY**0.5
    return 5 * floor * (4 / MANY if name == "time" else 2 / (MANY * D)) ** 0.5 + 1e-6


@pytest.mark.parametrize("sigma", [0.05, 0.8, 10.0])
def test_the_closed_form_meets_every_floor(network: DiScoFormer, generator: torch.Generator, sigma: float) -> None:
    noisy = gaussian(sigma, generator)
    found = parts(network, noisy)
    for name, floor in floors(noisy).items():
        assert found[name] == pytest.approx(floor, abs=error(name, floor)), name


@pytest.mark.parametrize(
    ("parameter", "raised"),
    [
        ("density_head.from_cls.2.bias", {"time", "fokker_planck"}),
        ("density_head.vector_readout.mix.weight", {"space", "consistency"}),
        ("score_head.mix.weight", {"denoising", "space"}),
    ],
)
def test_anything_else_is_above_them(network: DiScoFormer, noisy: Noised, parameter: str, raised: set[str]) -> None:
    before = parts(network, noisy)
    with torch.no_grad():
        network.get_parameter(parameter).add_(1.0)
    after = parts(network, noisy)
    for name in raised:
        assert after[name] > before[name] + 0.01, name
    for name in {"denoising", "space"} - raised:  # these are blind to the other's head, and to a constant in U
        assert after[name] == pytest.approx(before[name], abs=1e-4), name


def shaken(network: DiScoFormer, scale: float) -> DiScoFormer:
    """With random weights, in float64."""
    with torch.no_grad():
        for p in network.parameters():
            p += scale * torch.randn_like(p)
    return network.double()


def first_five(noisy: Noised) -> Noised:
    """Few, in float64."""
    return Noised(Batch(*(t[:5] for t in noisy.x)), *(t[:5].double() for t in noisy[1:]))


@pytest.mark.parametrize("centred", [True, False])
def test_the_probes_measure_the_exact_trace(
    network: DiScoFormer, noisy: Noised, monkeypatch: pytest.MonkeyPatch, centred: bool
) -> None:
    network, few, sigma = shaken(network, 0.1), Batch(*(tensor[:3] for tensor in noisy.x)), torch.full((3,), SIGMA_N)
    y, token, sigma = noisy.y[:3].double(), torch.zeros(3, dtype=torch.long), sigma.double()

    def score(y: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        fine = network.denoise(y, few.elements, few.mask, sigma, token).fine
        return (fine - y) / sigma.square()[:, None, None]

    exact = SIGMA_N**2 * divergence(score, y, sigma, few.mask)[1] + D
    if not centred:  # the control: along a shift of the whole molecule D moves too
        monkeypatch.setattr(losses, "centre", lambda v, mask: v)
    y = y.requires_grad_()
    D_y = network.denoise(y, few.elements, few.mask, sigma, token).fine
    generator = torch.Generator().manual_seed(2)
    found = torch.stack([losses._trace(D_y, y, few.mask, generator) for _ in range(400)])
    off = (found.mean(0) - exact).abs() / (found.std(0) / 20)
    assert (off.max() < 4) == centred


@pytest.mark.parametrize("name", ["slope", "fokker_planck"])
def test_a_pull_teaches_what_its_weight_says(network: DiScoFormer, noisy: Noised, name: str) -> None:
    network, few = shaken(network, 0.1), first_five(noisy)

    def loss(weight: float) -> tuple[float, dict[str, torch.Tensor]]:
        generator, config = torch.Generator().manual_seed(0), replace(WEIGHTS, **{f"weight_{name}": weight})
        found, parts = dual_loss(network, few, torch.zeros(5, dtype=torch.long), config, generator)
        return found.item(), parts

    (without, fewer), (with_it, parts) = loss(0.0), loss(3.0)
    assert fewer.keys() == parts.keys() - ({"fokker_planck"} & {name})  # which is not free of cost
    assert with_it - without == pytest.approx(3 * float(parts[name]))
    assert abs(float(parts[name])) > 1e-4


def test_the_slope_is_the_change_along_the_flow(network: DiScoFormer, noisy: Noised) -> None:
    network, few, token = shaken(network, 0.1), first_five(noisy), torch.zeros(5, dtype=torch.long)
    config, h = replace(WEIGHTS, weight_fokker_planck=0.0), 1e-4
    _, parts = dual_loss(network, few, token, config, torch.Generator())
    rest = few.x.elements, few.x.mask, few.ln_sigma.exp(), token

    def missed(step: torch.Tensor) -> float:
        """Mean of (dU + sigma^2 |score|^2)^2 / 4 d^2, dU the change of U for each unit of `step`."""
        ahead, behind = (network(few.y + sign * h * step, *rest).log_density for sign in (1, -1))
        return float(((behind - ahead) / (2 * h) + SIGMA_N**2 * s.square().sum((1, 2))).square().mean() / (4 * D**2))

    with torch.no_grad():
        s = network(few.y, *rest).score
        assert float(parts["slope"]) == pytest.approx(missed(SIGMA_N**2 * s), rel=1e-5)
        assert float(parts["slope"]) != pytest.approx(missed(SIGMA_N**2 * s.flip(1)), rel=0.1)


def test_fokker_planck_teaches_the_score_and_not_the_density(network: DiScoFormer, noisy: Noised) -> None:
    network, few, token = shaken(network, 0.1), first_five(noisy), torch.zeros(5, dtype=torch.long)

    def gradients(weight: float) -> dict[str, torch.Tensor]:
        generator = torch.Generator().manual_seed(0)
        loss, _ = dual_loss(network, few, token, replace(WEIGHTS, weight_fokker_planck=weight), generator)
        named = dict(network.named_parameters())
        found = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
        return {name: g for name, g in zip(named, found, strict=True) if g is not None}

    without, with_it = gradients(0.0), gradients(3.0)
    changed = {name for name, g in with_it.items() if not torch.allclose(g, without[name], rtol=1e-9, atol=1e-12)}
    assert not {name for name in changed if name.startswith("density_head")}
    assert {"score_head.mix.weight", "coarse_head.mix.weight"} < changed


def test_3n_dimensions_miss_the_floor(network: DiScoFormer, noisy: Noised, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "degrees_of_freedom", lambda mask: 3 * mask.sum(1))
    floor = floors(noisy)["time"] * (D / (D + 3)) ** 2
    missed = 9 / (4 * (D + 3) ** 2)
    assert parts(network, noisy)["time"] == pytest.approx(floor + missed, abs=error("time", floor + missed))
    assert missed > error("time", floor)


@pytest.fixture
def both_losses(network: DiScoFormer, generator: torch.Generator) -> Callable[[], DiScoFormer]:
    """Random weights, then the gradients of both losses on a few molecules."""

    def run() -> DiScoFormer:
        with torch.no_grad():
            for p in network.parameters():
                p += 0.3 * torch.randn_like(p)
        mask = torch.arange(N) < torch.tensor([2, 3, 4, 4, 4, 3])[:, None]
        elements = torch.randint(2, (6, N), generator=generator) * mask
        noisy = noised(Batch(SIGMA_N * centred_noise(mask, generator), elements, mask), WEIGHTS, 0.5, generator)
        noisy = noisy._replace(ln_sigma=noisy.ln_sigma.clamp(-2, 1))
        token = torch.zeros(6, dtype=torch.long)
        dual_loss(network, noisy, token, WEIGHTS, generator)[0].backward()
        denoising_loss(network.denoise, noisy, token, 0.25)[0].backward()
        return network

    return run


def without_gradient(network: DiScoFormer) -> Iterator[str]:
    for name, p in network.named_parameters():
        if p.grad is None or not p.grad.abs().max() > 0:
            yield name


def test_every_parameter_gets_a_gradient(both_losses: Callable[[], DiScoFormer]) -> None:
    network = both_losses()
    assert list(without_gradient(network)) == []
    assert all(p.grad.isfinite().all() for p in network.parameters())


def test_a_parameter_without_use_is_found(network: DiScoFormer, both_losses: Callable[[], DiScoFormer]) -> None:
    network.idle = torch.nn.Parameter(torch.ones(2))
    assert list(without_gradient(both_losses())) == ["idle"]


def test_noise_covers_its_range_and_follows_its_seed(config: Callable[..., TrainConfig]) -> None:
    settings = config(sigma_min=0.01, sigma_max=20.0)
    mask = torch.arange(5) < torch.tensor([3, 5] * 2_000)[:, None]
    x = Batch(centred_noise(mask, torch.Generator().manual_seed(1)), mask.long(), mask)
    first, again, other = (noised(x, settings, 0.5, torch.Generator().manual_seed(seed)) for seed in (2, 2, 3))
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert (first.y != other.y).any()
    sigma = first.ln_sigma.exp()
    torch.testing.assert_close(first.y, x.positions + sigma[:, None, None] * first.z)
    assert 0.01 * 0.999 <= sigma.min() < 0.012
    assert 16 < sigma.max() <= 20.0 * 1.001
    assert first.z.sum(1).abs().max() < 1e-5
    assert (first.z[~mask] == 0).all()
    d = torch.tensor([6.0, 12.0]).repeat(2_000)
    assert float((first.z.square().sum((1, 2)) / d).mean()) == pytest.approx(1, abs=0.03)
    uniform, normal = (noised(x, settings, share, torch.Generator().manual_seed(2)).ln_sigma for share in (1.0, 0.0))
    low, high = torch.tensor([0.01, 20.0]).log()
    assert float(uniform.mean()) == pytest.approx(float(low + high) / 2, abs=0.15)
    assert float(normal.median()) == pytest.approx(settings.log_normal[0], abs=0.1)
