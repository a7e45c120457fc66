"""Muon steps along the nearest orthogonal matrix."""

import pytest
import torch
from torch import nn

from molscore.training.muon import Muon, orthogonalise


@pytest.mark.parametrize("shape", [(5, 12, 12), (3, 8, 40), (3, 40, 8)])
def test_singular_values_come_close_to_one(shape: tuple[int, int, int]) -> None:
    G = torch.randn(*shape) * torch.logspace(-4, 4, shape[0])[:, None, None]
    before, after = (torch.linalg.svdvals(orthogonalise(G, steps)) for steps in (0, 5))
    assert after.min() > 0.3
    assert after.max() < 1.3
    assert float((after - 1).abs().mean()) < 0.2
    assert float((before - 1).abs().mean()) > 0.5


def test_the_singular_vectors_are_kept() -> None:
    G = torch.randn(4, 10, 6)
    U, _, Vh = torch.linalg.svd(G, full_matrices=False)
    inside = U.transpose(1, 2) @ orthogonalise(G) @ Vh.transpose(1, 2)
    off_diagonal = inside - torch.diag_embed(inside.diagonal(dim1=1, dim2=2))
    assert off_diagonal.abs().max() < 1e-3


def test_a_step_has_the_same_size_whatever_the_gradient() -> None:
    steps = []
    for scale in (1e-3, 1e3):
        torch.manual_seed(0)
        p = nn.Parameter(torch.zeros(16, 8))
        p.grad = scale * torch.randn(16, 8)
        Muon([p], lr=0.1).step()
        steps.append(p.detach().clone())
    torch.testing.assert_close(steps[0], steps[1], rtol=1e-3, atol=1e-4)
    assert float(steps[0].norm()) == pytest.approx(0.1 * (16 / 8) ** 0.5 * 8**0.5, rel=0.2)  # in 8 directions


def test_like_shaped_matrices_do_not_mix() -> None:
    alone, beside = (nn.Parameter(torch.zeros(6, 6)) for _ in range(2))
    other, idle = nn.Parameter(torch.zeros(6, 6)), nn.Parameter(torch.ones(6, 6))
    alone.grad = torch.randn(6, 6)
    beside.grad, other.grad = alone.grad.clone(), torch.randn(6, 6)
    Muon([alone], lr=0.1).step()
    Muon([other, beside, idle], lr=0.1).step()
    torch.testing.assert_close(alone, beside)
    assert (idle == 1).all()
    assert (other != beside).any()


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


def test_it_minimises() -> None:
    target, p = torch.randn(8, 8), nn.Parameter(torch.zeros(8, 8))
    muon = Muon([p], lr=0.05)
    for step in range(200):
        muon.param_groups[0]["lr"] = 0.05 * (1 - step / 200)
        p.grad = p.detach() - target
        muon.step()
    assert (p.detach() - target).square().mean() < 0.01 < target.square().mean()
