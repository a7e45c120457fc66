"""The heads: the score after Karras et al., a normalised log-density with a hard-wired Gaussian end, and bonds.

Score (Karras et al. 2022, arXiv 2206.00364, table 1), sigma_N the data's own deviation per degree of freedom:

    D = c_skip y + c_out F,      score = (D - y) / sigma^2

Density, d = 3(N - 1):

    U = |y|^2 / 2(sigma^2 + sigma_N^2) + (d/2) ln 2 pi (sigma^2 + sigma_N^2)
        + sigma_N^2 / (sigma^2 + sigma_N^2) * ( d R(y, sigma) + Q(y, sigma) ),        log_density = -U

R = r(sigma) + a mean over atoms and [CLS]; Q = |y - D_U|^2/2 sigma^2 - |y - c_skip y|^2/2 sigma^2 with D_U = c_skip y
+ c_out F_U and F_U the score's own F plus a correction. Data that lie on a thin sheet have U = |distance to the
sheet|^2/2 sigma^2 + something smooth, and the distance is y - D: so Q carries what is stiff at low noise, which the
score already knows, and R what is smooth. R and the correction start at zero. r, a function of the noise alone, one for
each distribution, is what the time score tells on average over molecules: least squares give it its last nat
(`molscore.training.offset`).

Bonds between every pair of atoms, as the coarse half of the network sees them:

    l_ij = W silu(P e_ij + A s_i + A s_j),      logits_ij = (l_ij + l_ji)/2

An atom that lacks a bond needs a neighbour that lacks one too: the fine half is told what the coarse half expects of
every pair, so that the two decide together. What it is told starts at zero.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from molscore.nn.backbone import ModelConfig, noise_waves

__all__ = ["BOND_ORDERS", "BondHead", "DensityHead", "Estimate", "Preconditioning", "VectorReadout"]

BOND_ORDERS = ("none", "single", "double", "triple", "aromatic")


class Estimate(NamedTuple):
    """What one forward pass returns."""

    score: Tensor  # (B, N, 3) 1/Å, sums to zero over atoms
    log_density: Tensor  # (B,) nats

    def __repr__(self) -> str:
        return f"Estimate(score {tuple(self.score.shape)} 1/Å, log_density {tuple(self.log_density.shape)} nats)"


class Preconditioning(NamedTuple):
    """Karras's coefficients for a molecule whose data deviate by `sigma_N` Å per degree of freedom, each (B,)."""

    c_skip: Tensor  # sigma_N^2 / (sigma^2 + sigma_N^2), the signal's share
    c_out: Tensor
    c_in: Tensor
    sigma: Tensor
    variance: Tensor  # sigma^2 + sigma_N^2

    @classmethod
    def at(cls, sigma: Tensor, sigma_N: Tensor) -> "Preconditioning":
        """sigma, sigma_N (B,) Å."""
        variance = sigma.square() + sigma_N.square()
        c_skip, c_out = sigma_N.square() / variance, sigma * sigma_N * variance.rsqrt()
        return cls(c_skip, c_out, variance.rsqrt(), sigma, variance)


class VectorReadout(nn.Module):
    """Vectors (B, N, 3, V), gated by scalars (B, N, dim) -> F (B, N, 3), zero at the start, mean zero over atoms."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate = nn.Linear(config.dim, config.vectors)
        self.mix = nn.Linear(config.vectors, 1, bias=False)
        nn.init.zeros_(self.mix.weight)

    def forward(self, scalars: Tensor, vectors: Tensor, mask: Tensor) -> Tensor:
        """F (B, N, 3), without unit; zero at padding."""
        F = self.mix(vectors * self.gate(scalars)[:, :, None]).squeeze(-1) * mask[..., None]
        mean = F.sum(1, keepdim=True) / mask.sum(1)[:, None, None]
        return (F - mean) * mask[..., None]


class DensityHead(nn.Module):
    """Invariant tokens -> U (B,) nats and its share on each atom."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.vector_readout = VectorReadout(config)
        self.per_atom = nn.Sequential(nn.Linear(config.dim, config.dim), nn.SiLU(), nn.Linear(config.dim, 1))
        self.from_cls = nn.Sequential(nn.Linear(config.dim, config.dim), nn.SiLU(), nn.Linear(config.dim, 1))
        for mlp in (self.per_atom, self.from_cls):
            nn.init.zeros_(mlp[-1].weight)
            nn.init.zeros_(mlp[-1].bias)

    def forward(
        self,
        y: Tensor,
        F: Tensor,
        scalars: Tensor,
        vectors: Tensor,
        cls: Tensor,
        mask: Tensor,
        c: Preconditioning,
        offset: Tensor,
    ) -> Tensor:
        """U (B, N) split over atoms; the sum over atoms is -log_density. Shared terms are spread evenly.

        offset (B, NOISE_WAVES): the distribution's own weights of r(sigma).
        """
        atoms = mask.to(y.dtype)
        N = atoms.sum(1, keepdim=True)
        d = 3.0 * (N - 1.0)
        constant = d / (2 * N) * torch.log(2 * math.pi * c.variance)[:, None]
        gaussian = y.square().sum(-1) / (2 * c.variance[:, None]) + constant
        r = (noise_waves(c.sigma) * offset).sum(-1)
        R = r[:, None] + self.per_atom(scalars).squeeze(-1) + self.from_cls(cls)
        F_U = F + self.vector_readout(scalars, vectors, mask)
        # a = (y - c_skip y)/sigma and b = c_out F_U/sigma, without dividing by sigma: Q = |a - b|^2/2 - |a|^2/2.
        a = y * (c.sigma / c.variance)[:, None, None]
        b = F_U * c.c_skip.sqrt()[:, None, None]
        Q = (b.square() / 2 - a * b).sum(-1)
        return (gaussian + c.c_skip[:, None] * (d / N * R + Q)) * atoms


class BondHead(nn.Module):
    """Pairs and atoms -> logits of the bond orders, and what the fine half learns of them."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.from_pairs = nn.Linear(config.pair_dim, config.pair_dim)
        self.from_atoms = nn.Linear(config.dim, config.pair_dim, bias=False)
        self.logits = nn.Linear(config.pair_dim, len(BOND_ORDERS))
        self.to_pairs = nn.Linear(len(BOND_ORDERS), config.pair_dim, bias=False)
        nn.init.zeros_(self.to_pairs.weight)

    def forward(self, pairs: Tensor, scalars: Tensor) -> tuple[Tensor, Tensor]:
        """pairs (B, N, N, P), scalars (B, N, dim) -> logits (B, N, N, 5), symmetric, and pairs to add (B, N, N, P)."""
        a = self.from_atoms(scalars)
        logits = self.logits(silu(self.from_pairs(pairs) + a[:, :, None] + a[:, None]))
        logits = (logits + logits.transpose(1, 2)) / 2
        return logits, self.to_pairs(torch.softmax(logits, dim=-1))
