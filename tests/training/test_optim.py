"""Muon steps along the nearest orthogonal matrix; each parameter has one optimiser; the average follows the weights."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from molscore.molecules import Distribution
from molscore.nn.checkpoint import build
from molscore.nn.discoformer import DiScoFormer
from molscore.training.config import TrainConfig
from molscore.training.optim import Average, Muon, Optimiser, learning_rate, orthogonalise
from tests.training.conftest import TINY


@pytest.mark.parametrize("shape", [(5, 12, 12), (3, 8, 40), (3, 40, 8)])
def test_singular_values_come_close_to_one_and_vectors_are_kept(shape: tuple[int, int, int]) -> None:
    G = torch.randn(*shape) * torch.logspace(-4, 4, shape[0])[:, None, None]
    before, after = (torch.linalg.svdvals(orthogonalise(G, steps)) for steps in (0, 5))
    U, _, Vh = torch.linalg.svd(G, full_matrices=False)
    inside = U.transpose(1, 2) @ orthogonalise(G) @ Vh.transpose(1, 2)
    assert (inside - torch.diag_embed(inside.diagonal(dim1=1, dim2=2))).abs().max() < 2e-2
    assert after.min() > 0.3
    assert after.max() < 1.3
    assert float((after - 1).abs().mean()) < 0.2
    assert float((before - 1).abs().mean()) > 0.5


def test_muon_steps_alike_whatever_the_gradients_size_and_matrices_do_not_mix() -> None:
    def stepped(*gradients: torch.Tensor | None) -> list[torch.Tensor]:
        parameters = [nn.Parameter(torch.zeros(16, 8)) for _ in gradients]
        for p, gradient in zip(parameters, gradients, strict=True):
            p.grad = gradient
        Muon(parameters, lr=0.1).step()
        return [p.detach() for p in parameters]

    G, other = torch.randn(2, 16, 8)
    (alone,), (small,), (_, beside, idle) = stepped(G), stepped(1e-3 * G), stepped(other, G, None)
    torch.testing.assert_close(small, alone, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(beside, alone)
    assert not idle.any()
    assert float(alone.norm()) == pytest.approx(0.1 * (16 / 8) ** 0.5 * 8**0.5, rel=0.2)  # in 8 directions


def test_momentum_and_weight_decay() -> None:
    p = nn.Parameter(torch.eye(4))
    muon = Muon([p], lr=0.1, momentum=0.9, weight_decay=0.5)
    p.grad = torch.zeros(4, 4)
    muon.step()
    torch.testing.assert_close(p.detach(), 0.95 * torch.eye(4))
    for _ in range(2):
        p.grad = torch.ones(4, 4)
        muon.step()
    torch.testing.assert_close(muon.state[p]["momentum"], torch.full((4, 4), 1.9))


@pytest.fixture
def network() -> DiScoFormer:
    return build(TINY, (Distribution("t", ("H", "C"), {(1, 2): 1}, {2: 1.0, 3: 1.0}),))


def test_the_learning_rate_rises_stays_and_falls(config: Callable[..., TrainConfig]) -> None:
    settings = config(steps=100, warmup=10, decay=0.3)
    rates = [learning_rate(step, step / 100, settings) for step in range(100)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert rates[10:71] == pytest.approx([1.0] * 61)
    assert rates[71:] == pytest.approx([(100 - step) / 30 for step in range(71, 100)])
    assert min(rates) > 0


def test_every_parameter_has_one_optimiser(network: DiScoFormer, config: Callable[..., TrainConfig]) -> None:
    optimiser = Optimiser.of(network, config())
    adamw, muon = ([p for group in part.param_groups for p in group["params"]] for part in optimiser.parts)
    assert len(adamw) + len(muon) == len({id(p) for p in [*adamw, *muon]}) == len(list(network.parameters()))
    names = {id(p): name for name, p in network.named_parameters()}
    assert all(p.ndim == 2 and min(p.shape) > 1 for p in muon)
    embeddings = {"element_token.weight", "distribution_token.weight", "coarse_tokenizer.from_sender.weight"}
    assert embeddings <= {names[id(p)] for p in adamw}
    assert "fine_stack.blocks.0.attention.qkv.weight" in {names[id(p)] for p in muon}


def test_a_step_moves_by_the_rate_of_that_step(network: DiScoFormer, config: Callable[..., TrainConfig]) -> None:
    settings = config(steps=100, warmup=10, decay=0.3)
    moved = []
    for step in (0, 9):
        torch.manual_seed(0)
        start = [p.detach().clone() for p in network.parameters()]
        optimiser = Optimiser.of(network, settings)
        for p in network.parameters():
            p.grad = torch.ones_like(p)
        optimiser.step(learning_rate(step, step / 100, settings))
        moved.append(sum(float((p.detach() - q).abs().sum()) for p, q in zip(network.parameters(), start, strict=True)))
        assert all(p.grad is None for p in network.parameters())
    assert moved[1] == pytest.approx(10 * moved[0], rel=0.15)


def test_the_average_is_its_recursion() -> None:
    layer = nn.Linear(1, 1, bias=False)
    average, expected = Average(layer, 0.5), layer.weight.item()
    for step in range(30):
        layer.weight.data.fill_(float(step))
        average.update(layer, step)
        beta = min(0.5, (1 + step) / (10 + step))
        expected = beta * expected + (1 - beta) * step
    assert float(average.weights["weight"]) == pytest.approx(expected, rel=1e-5)
    assert layer.weight.item() == 29
