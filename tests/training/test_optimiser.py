"""Which parameter goes where, and the course of the learning rate."""

from collections.abc import Callable

import pytest
import torch

from molscore.molecules import Distribution
from molscore.nn.checkpoint import build
from molscore.nn.discoformer import DiScoFormer
from molscore.training.config import TrainConfig
from molscore.training.optimiser import Optimiser, learning_rate
from tests.training.conftest import TINY


@pytest.fixture
def network() -> DiScoFormer:
    return build(TINY, (Distribution("t", ("H", "C"), {(1, 2): 1}, {2: 1.0, 3: 1.0}),))


def test_the_learning_rate_rises_stays_and_falls(config: Callable[..., TrainConfig]) -> None:
    settings = config(steps=100, warmup=10, decay=0.3)
    rates = [learning_rate(step, settings) for step in range(100)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert rates[10:71] == pytest.approx([1.0] * 61)
    assert rates[71:] == pytest.approx([(100 - step) / 30 for step in range(71, 100)])
    assert min(rates) > 0


def test_every_parameter_has_one_optimiser(network: DiScoFormer, config: Callable[..., TrainConfig]) -> None:
    optimiser = Optimiser(network.named_parameters(), config())
    adamw, muon = ([p for group in part.param_groups for p in group["params"]] for part in optimiser.parts)
    assert len(adamw) + len(muon) == len({id(p) for p in [*adamw, *muon]}) == len(list(network.parameters()))
    names = {id(p): name for name, p in network.named_parameters()}
    assert all(p.ndim == 2 and min(p.shape) > 1 for p in muon)
    embeddings = {"element_token.weight", "distribution_token.weight", "coarse_tokenizer.from_sender.weight"}
    assert embeddings <= {names[id(p)] for p in adamw}
    assert "fine_stack.blocks.0.attention.qkv.weight" in {names[id(p)] for p in muon}


def test_a_step_moves_by_the_rate_of_that_step(network: DiScoFormer, config: Callable[..., TrainConfig]) -> None:
    settings = config(steps=100, warmup=10)
    moved = []
    for step in (0, 9):
        torch.manual_seed(0)
        start = [p.detach().clone() for p in network.parameters()]
        optimiser = Optimiser(network.named_parameters(), settings)
        for p in network.parameters():
            p.grad = torch.ones_like(p)
        optimiser.step(step)
        moved.append(sum(float((p.detach() - q).abs().sum()) for p, q in zip(network.parameters(), start, strict=True)))
        assert all(p.grad is None for p in network.parameters())
    assert moved[1] == pytest.approx(10 * moved[0], rel=0.15)


def test_a_frozen_parameter_is_left_out(network: DiScoFormer, config: Callable[..., TrainConfig]) -> None:
    for p in network.coarse_stack.parameters():
        p.requires_grad_(False)
    optimiser = Optimiser(network.named_parameters(), config())
    held = {id(p) for part in optimiser.parts for p in part.param_groups[0]["params"]}
    assert not held & {id(p) for p in network.coarse_stack.parameters()}
