"""The network's laws: symmetry, padding, the Gaussian end, one pass for both heads, gradients everywhere."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from molscore.nn.checkpoint import build
from molscore.nn.discoformer import Context, DiScoFormer
from molscore.nn.heads import BOND_ORDERS
from tests.nn.conftest import METALLIC, ORGANIC, TINY, Inputs, centred

TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-9}


@pytest.fixture(params=[torch.float32, torch.float64], ids=str)
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    before = torch.get_default_dtype()
    torch.set_default_dtype(request.param)
    yield request.param
    torch.set_default_dtype(before)


def rotation(dtype: torch.dtype) -> Tensor:
    Q = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(5)))[0]
    return (Q * torch.linalg.det(Q)).to(dtype)


def relative(a: Tensor, b: Tensor) -> float:
    """Largest difference over the root mean square of b."""
    return float((a - b).abs().max() / b.square().mean().sqrt())


Move = tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]


def moves(mask: Tensor, dtype: torch.dtype) -> dict[str, Move]:
    """What is done to positions and to a score, and what is done to elements and mask."""
    R, same = rotation(dtype), lambda t: t
    sizes = mask.sum(1).tolist()
    reversed_atoms = torch.stack([torch.cat([torch.arange(n).flip(0), torch.arange(n, 7)]) for n in sizes])
    rows = torch.arange(len(mask))[:, None]
    return {
        "rotation": (lambda y: y @ R.T, same),
        "translation": (lambda y: centred(y + torch.tensor([1.0, -2.0, 0.5], dtype=dtype), mask), same),
        "reflection": (lambda y: y * torch.tensor([1.0, 1.0, -1.0], dtype=dtype), same),
        "atoms": (lambda y: y[rows, reversed_atoms], lambda t: t[rows, reversed_atoms]),
    }


MOVES = ["rotation", "translation", "reflection", "atoms"]


def asymmetry(network: DiScoFormer, x: Inputs, name: str) -> tuple[float, float]:
    """How far score and log-density are from following a move."""
    move, reorder = moves(x.mask, x.y.dtype)[name]
    with torch.no_grad():
        before = network(*x)
        after = network(move(x.y), reorder(x.elements), reorder(x.mask), x.sigma, x.context)
    sigma = x.sigma[:, None, None]
    return relative(sigma * after.score, sigma * move(before.score)), relative(after.log_density, before.log_density)


@pytest.mark.parametrize("move", MOVES)
def test_score_and_density_follow_the_symmetries(dtype, move, randomised, inputs) -> None:
    score, density = asymmetry(randomised(), inputs(dtype), move)
    assert score < TOLERANCE[dtype]
    assert density < TOLERANCE[dtype]


@pytest.mark.parametrize("move", ["rotation", "reflection"])
def test_a_coupling_that_is_none_breaks_the_symmetry(move, randomised, inputs) -> None:
    network = randomised()
    network.coarse_tokenizer.coupling += 0.3 * torch.randn_like(network.coarse_tokenizer.coupling)
    score, density = asymmetry(network, inputs(), move)
    assert score > 10 * TOLERANCE[torch.float32]
    assert density > 10 * TOLERANCE[torch.float32]


def test_padding_and_company_change_nothing(randomised: Callable, inputs: Callable[..., Inputs]) -> None:
    network, x = randomised(), inputs()
    elements = x.elements.masked_fill(~x.mask, 2)  # whatever element padding claims to be
    with torch.no_grad():
        together = network(x.y, elements, *x[2:])
        for i, n in enumerate(x.mask.sum(1).tolist()):
            row = slice(i, i + 1)
            alone = network(
                x.y[row, :n],
                x.elements[row, :n],
                x.mask[row, :n],
                x.sigma[row],
                Context(*(part[row] for part in x.context)),
            )
            assert relative(together.score[row, :n], alone.score) < 1e-4
            assert float(together.log_density[i]) == pytest.approx(float(alone.log_density[0]), rel=1e-4, abs=1e-3)
    assert (together.score[~x.mask] == 0).all()
    score = together.score * x.sigma[:, None, None]
    assert score.sum(1).abs().max() < 1e-4 and score.abs().max() > 0.1


def test_all_heads_come_from_one_pass(randomised: Callable, inputs: Callable[..., Inputs]) -> None:
    network, x, passes = randomised(), inputs(), []
    network.coarse_stack.register_forward_hook(lambda *_: passes.append(1))
    network.fine_stack.register_forward_hook(lambda *_: passes.append(1))
    with torch.no_grad():
        estimate = network(*x)
        assert len(passes) == 2
        denoised = network.denoise(*x)
        score = (denoised.fine - x.y) / x.sigma.square()[:, None, None]
        torch.testing.assert_close(estimate.score, score, rtol=0, atol=0)
        torch.testing.assert_close(estimate.log_density, -network.energy(x.y, denoised, x.mask), rtol=0, atol=0)
        assert denoised.bonds.shape == (6, 7, 7, len(BOND_ORDERS))
        torch.testing.assert_close(denoised.bonds, denoised.bonds.transpose(1, 2))
        turned = network.denoise(x.y @ rotation(torch.float32).T, *x[1:])
        torch.testing.assert_close(turned.bonds, denoised.bonds, rtol=1e-3, atol=1e-3)


def gaussian(x: Inputs, sigma_N: Tensor) -> tuple[Tensor, Tensor]:
    """Score and log-density of the Gaussian with the data's second moment."""
    variance, d = x.sigma.square() + sigma_N.square(), 3 * (x.mask.sum(1) - 1)
    log_density = -x.y.square().sum((1, 2)) / (2 * variance) - d / 2 * torch.log(2 * math.pi * variance)
    return -x.y / variance[:, None, None], log_density


def test_it_starts_as_the_gaussian_of_the_same_moments(inputs: Callable[..., Inputs]) -> None:
    network, x = build(TINY, (ORGANIC,)), inputs()
    x = x._replace(context=x.context._replace(offset=torch.zeros_like(x.context.offset)))
    estimate = network(*x)
    score, log_density = gaussian(x, x.context.sigma_N)
    torch.testing.assert_close(estimate.score, score, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(estimate.log_density, log_density, rtol=1e-5, atol=1e-3)


def test_far_noise_makes_any_network_the_normalised_gaussian(float64, randomised, inputs) -> None:
    network, x, differences = randomised(), inputs(float64), []
    sigma_N = x.context.sigma_N
    for sigma in (1.0, 1e3, 1e5):
        far = x._replace(sigma=torch.full((6,), sigma), y=x.y / (1 + x.sigma**2).sqrt()[:, None, None] * sigma)
        with torch.no_grad():
            differences.append(float((network(*far).log_density - gaussian(far, sigma_N)[1]).abs().max()))
    assert differences[0] > 0.1  # near, it is not the Gaussian
    assert differences[1] < 0.02
    assert differences[2] == pytest.approx(1e-4 * differences[1], rel=0.05)  # the signal's share falls like 1/sigma^2


def test_each_distribution_has_its_own_numbers(randomised: Callable, inputs: Callable[..., Inputs]) -> None:
    network, x = randomised(ORGANIC, METALLIC), inputs()
    assert network.elements == ("H", "C", "O", "Si")
    sizes = x.mask.sum(1)
    one, other = (x._replace(context=network.context(torch.full_like(sizes, row), sizes)) for row in (0, 1))
    with torch.no_grad():
        assert (network(*one).log_density - network(*other).log_density).abs().min() > 1e-3
        same = other.context._replace(**one.context._asdict())
        torch.testing.assert_close(network(*one), network(*x._replace(context=same)), rtol=0, atol=0)


@torch.no_grad()
def test_references_move_the_density_whatever_their_order_and_no_references_do_not(randomised, inputs) -> None:
    network, x = randomised(), inputs()
    states = network.state(x.y, x.elements, x.mask, x.context).expand(6, -1, -1)  # the molecules, as references of each
    present = torch.ones(6, 6, dtype=torch.bool)

    def given(states: Tensor, present: Tensor) -> Tensor:
        return network(*x[:4], network.given(x.context, states, present)).log_density

    moved, fewer = given(states, present), given(states[:, :3], present[:, :3])
    assert (moved - network(*x).log_density).abs().max() > 1e-2
    assert (fewer - moved).abs().max() > 1e-3
    torch.testing.assert_close(given(states.flip(1), present), moved, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(given(states, torch.arange(6).expand(6, -1) < 3), fewer, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(network.given(x.context, states, ~present), x.context, rtol=0, atol=0)
    torch.nn.init.zeros_(network.reference_encoder.out.weight)  # as it is before it is trained
    torch.testing.assert_close(network.given(x.context, states, present), x.context, rtol=0, atol=0)


def test_the_energy_has_the_derivatives_it_claims(float64, randomised, inputs) -> None:
    network, x = randomised(), inputs(float64)
    h, direction = 1e-5, centred(torch.randn(6, 7, 3), x.mask)

    def U(y: Tensor, ln_sigma: Tensor) -> Tensor:
        return -network(y, x.elements, x.mask, ln_sigma.exp(), x.context).log_density

    y, ln_sigma = x.y.requires_grad_(), x.sigma.log().requires_grad_()
    grad_U, time_score = torch.autograd.grad(U(y, ln_sigma).sum(), (y, ln_sigma))
    with torch.no_grad():
        along = (U(y + h * direction, ln_sigma) - U(y - h * direction, ln_sigma)) / (2 * h)
        in_time = (U(y, ln_sigma + h) - U(y, ln_sigma - h)) / (2 * h)
    torch.testing.assert_close((grad_U * direction).sum((1, 2)), along, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(time_score, in_time, rtol=1e-5, atol=1e-5)


def test_coinciding_atoms_give_finite_numbers(randomised: Callable, inputs: Callable[..., Inputs]) -> None:
    network, x = randomised(), inputs()
    y = x.y.clone()
    y[:, 1] = y[:, 0]
    y = centred(y, x.mask).requires_grad_()
    estimate = network(y, *x[1:])
    (grad,) = torch.autograd.grad(estimate.log_density.sum(), y)
    assert all(t.isfinite().all() for t in (*estimate, grad))
