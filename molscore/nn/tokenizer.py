"""The equivariant graph tokenizer: atoms and geometry become irreps features.

    e_ij = MLP(rbf(d_ij), rbf(c_in d_ij), element_i, element_j, condition)      pair features
    A_i^{l m} = sum_j  w_l(e_ij) Y_l^m(r_ij)                                    one-particle basis
    scalars_i = element_i + W [ |A_i^l|^2 ]_l,    vectors_i = W [ A^1, A^2 x A^1 ]

The squared norms are the power spectrum, so a token knows the angles around its atom before any attention. The noise
level is read as overlapping bumps in ln sigma.
Source: Drautz 2019 (ACE, doi 10.1103/PhysRevB.99.014104); Geiger and Smidt, e3nn, arXiv 2207.09453.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from molscore.nn.backbone import ModelConfig
from molscore.nn.harmonics import SphericalHarmonics, wigner_3j

__all__ = ["LN_SIGMA_RANGE", "NOISE_WAVES", "GraphTokenizer", "RadialBasis", "Tokens", "noise_waves"]

LN_SIGMA_RANGE = (math.log(0.002), math.log(60.0))
NOISE_WAVES = 32


def noise_waves(sigma: Tensor) -> Tensor:
    """exp(-((ln sigma - mu_k)/w)^2) of sigma (B,) Å, (B, NOISE_WAVES), with w one and a half times their spacing."""
    centres = torch.linspace(*LN_SIGMA_RANGE, NOISE_WAVES, dtype=sigma.dtype, device=sigma.device)
    spacing = centres[1] - centres[0]
    return torch.exp(-((torch.log(sigma)[:, None] - centres) / (1.5 * spacing)).square())


class Tokens(NamedTuple):
    """Per-atom irreps features and what the backbone needs of the pairs."""

    scalars: Tensor  # (B, N, dim)
    vectors: Tensor  # (B, N, 3, vectors), the last axis counts channels
    pairs: Tensor  # (B, N, N, pair_dim)


class RadialBasis(nn.Module):
    """exp(-beta_k (exp(-d/length) - mu_k)^2): dense where bonds are (PhysNet, arXiv 1902.08408, eq. 7)."""

    def __init__(self, count: int, length: float, d_min: float = 0.0) -> None:
        super().__init__()
        self.length = length
        top = float(torch.exp(torch.tensor(-d_min / length)))
        mu = torch.linspace(0.0, top, count)
        self.register_buffer("mu", mu, persistent=False)
        self.inverse_width = 0.7 * count / top

    def forward(self, distance: Tensor) -> Tensor:
        """(...,) -> (..., count)."""
        u = (torch.exp(-distance / self.length)[..., None] - self.mu) * self.inverse_width
        return torch.exp(-u.square().clamp(max=40.0))  # exp of less is a denormal, 100 times slower on a CPU


class GraphTokenizer(nn.Module):
    """Geometry and elements -> `Tokens`; scalars invariant, vectors rotate with the positions."""

    def __init__(self, config: ModelConfig, n_elements: int) -> None:
        super().__init__()
        dim, channels, pair_dim = config.dim, config.vectors, config.pair_dim
        # one static shape for the compiler: degrees are consecutive, so A_l is a slice of A
        degrees = list(range(config.l_max + 1))
        self.harmonics = SphericalHarmonics(degrees, normalize=False, normalization="component")
        self.slices = [(l * l, (l + 1) * (l + 1)) for l in range(config.l_max + 1)]
        self.raw_basis = RadialBasis(config.basis, length=1.5, d_min=0.6)
        self.scaled_basis = RadialBasis(config.basis // 2, length=1.5)
        self.from_distance = nn.Linear(config.basis + config.basis // 2, pair_dim)
        self.from_receiver = nn.Embedding(n_elements, pair_dim)
        self.from_sender = nn.Embedding(n_elements, pair_dim)
        self.from_condition = nn.Linear(dim, pair_dim)
        self.pair_mlp = nn.Sequential(nn.SiLU(), nn.Linear(pair_dim, pair_dim), nn.SiLU())
        self.radial = nn.Linear(pair_dim, channels)
        self.degree_weight = nn.Parameter(torch.ones(config.l_max + 1, channels))
        self.to_scalars = nn.Linear(channels * (config.l_max + 1), dim)
        self.to_vectors = nn.Linear(2 * channels, channels, bias=False)
        self.register_buffer("coupling", wigner_3j(2, 1, 1).flatten(0, 1).T.contiguous(), persistent=False)

    def forward(
        self, positions: Tensor, elements: Tensor, pair_mask: Tensor, c_in: Tensor, condition: Tensor
    ) -> Tokens:
        """positions (B, N, 3) Å; elements (B, N); pair_mask (B, N, N) float; c_in (B,) 1/Å; condition (B, dim)."""
        r_ij = positions[:, None, :, :] - positions[:, :, None, :]  # (B, N, N, 3), from receiver i to sender j
        d_ij = (r_ij.square().sum(-1) + 1e-6).sqrt()
        basis = torch.cat([self.raw_basis(d_ij), self.scaled_basis(d_ij * c_in[:, None, None])], dim=-1)
        per_atom = self.from_receiver(elements)[:, :, None] + self.from_sender(elements)[:, None, :]
        pairs = self.from_distance(basis) + per_atom + self.from_condition(condition)[:, None, None]
        pairs = self.pair_mlp(pairs)

        weights = self.radial(pairs) * pair_mask[..., None]  # (B, N, N, C)
        directions = self.harmonics(r_ij / d_ij[..., None])
        A = torch.matmul(directions.transpose(2, 3), weights)  # (B, N, (l_max+1)^2, C)
        powers = []
        for l, (start, stop) in enumerate(self.slices):
            A_l = A[:, :, start:stop] * self.degree_weight[l]
            powers.append(A_l.square().mean(2) if l else A_l[:, :, 0])
        scalars = self.to_scalars(torch.cat(powers, dim=-1))
        A_1, A_2 = A[:, :, 1:4], A[:, :, 4:9]
        products = (A_2[:, :, :, None] * A_1[:, :, None]).flatten(2, 3)  # (B, N, 5 * 3, C)
        A_21 = torch.matmul(self.coupling, products)
        vectors = self.to_vectors(torch.cat([A_1, A_21], dim=-1))
        return Tokens(scalars, vectors, pairs)
