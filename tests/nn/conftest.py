"""A small network with random weights everywhere, and molecules for it."""

from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from molscore.molecules import Distribution
from molscore.nn.backbone import NOISE_WAVES, ModelConfig
from molscore.nn.checkpoint import build
from molscore.nn.discoformer import Context, DiScoFormer

TINY = ModelConfig(dim=16, vectors=4, heads=2, coarse_blocks=1, fine_blocks=2, pair_dim=8, basis=8)
ORGANIC = Distribution(
    "organic", ("H", "C", "O"), {(4, 1, 0): 5, (6, 2, 1): 3, (2, 1, 1): 4}, {n: 0.8 + 0.05 * n for n in range(2, 10)}
)
METALLIC = Distribution("metallic", ("Si", "H"), {(1, 4): 2, (2, 6): 1}, dict.fromkeys(range(2, 9), 1.5))


class Inputs(NamedTuple):
    """What a network takes."""

    y: Tensor
    elements: Tensor
    mask: Tensor
    sigma: Tensor
    context: Context


@pytest.fixture
def randomised() -> Callable[..., DiScoFormer]:
    """Build a network of `TINY` sizes whose heads, gates and gains are random, not zero as at the start."""

    def make(*distributions: Distribution, seed: int = 0) -> DiScoFormer:
        torch.manual_seed(seed)
        network = build(TINY, distributions or (ORGANIC,))
        with torch.no_grad():
            for p in network.parameters():
                p += 0.5 * torch.randn_like(p) * (p.shape[-1] ** -0.5 if p.ndim > 1 else 1.0)
        return network.eval()

    return make


@pytest.fixture
def inputs(generator: torch.Generator) -> Callable[..., Inputs]:
    """Draw molecules of 2 to 7 atoms in Å with noise levels from 0.05 to 20 Å, padded to 7 atoms."""

    def draw(dtype: torch.dtype = torch.float32) -> Inputs:
        sizes = torch.tensor([2, 3, 5, 6, 7, 7])
        mask = torch.arange(7) < sizes[:, None]
        sigma = torch.logspace(-1.3, 1.3, 6, dtype=dtype).flip(0)
        y = torch.randn(6, 7, 3, generator=generator, dtype=dtype) * (1 + sigma.square()).sqrt()[:, None, None]
        elements = torch.randint(3, (6, 7), generator=generator) * mask
        token = torch.randn(6, TINY.dim, generator=generator, dtype=dtype)
        return Inputs(
            centred(y, mask),
            elements,
            mask,
            sigma,
            Context(token, (0.8 + 0.05 * sizes).to(dtype), 0.1 * torch.randn(6, NOISE_WAVES, dtype=dtype)),
        )

    return draw


def centred(y: Tensor, mask: Tensor) -> Tensor:
    """Mean zero over real atoms, zero at padding."""
    atoms = mask[..., None].to(y.dtype)
    return (y - (y * atoms).sum(1, keepdim=True) / atoms.sum(1, keepdim=True)) * atoms
