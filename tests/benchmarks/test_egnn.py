"""The network that is timed beside ours has EDM's size and symmetries."""

import torch

from benchmarks.egnn import EGNN, INPUTS
from molscore.diffusion.gaussian import centre
from molscore.diffusion.rotations import random_rotations

MASK = torch.arange(6) < torch.tensor([4, 6])[:, None]


def inputs(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    x = centre(torch.randn(2, 6, 3, generator=generator), MASK)
    return x, torch.randn(2, 6, INPUTS, generator=generator) * MASK[..., None]


def test_it_has_as_many_parameters_as_was_published() -> None:
    assert round(sum(p.numel() for p in EGNN().parameters()) / 1e6, 1) == 5.3
    assert round(sum(p.numel() for p in EGNN(layers=8).parameters()) / 1e6, 1) != 5.3


@torch.no_grad()
def test_it_is_equivariant_and_blind_to_padding(generator: torch.Generator) -> None:
    network = EGNN(features=16, layers=3)
    x, h = inputs(generator)
    R = random_rotations(1, generator)[0].to(x.dtype)
    noise, features = network(x, h, MASK)
    turned, same = network(x @ R.T, h, MASK)
    assert noise.abs().max() > 1e-6 and (noise[~MASK] == 0).all()
    torch.testing.assert_close(turned, noise @ R.T, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(same, features, rtol=1e-4, atol=1e-6)
    alone, _ = network(x[:1, :4], h[:1, :4], MASK[:1, :4])
    torch.testing.assert_close(noise[:1, :4], alone, rtol=1e-4, atol=1e-6)
