"""The DiScoFormer backbone: atoms and geometry become tokens, and pre-norm transformer blocks read them.

The graph tokenizer makes irreps features of atoms and geometry:

    e_ij = MLP(rbf(d_ij), rbf(c_in d_ij), element_i, element_j, condition)      pair features
    A_i^{l m} = sum_j  w_l(e_ij) Y_l^m(r_ij)                                    one-particle basis
    scalars_i = element_i + W [ |A_i^l|^2 ]_l,    vectors_i = W [ A^1, A^2 x A^1 ]

The squared norms are the power spectrum, so a token knows the angles around its atom before any attention. The noise
level is read as overlapping bumps in ln sigma.

Equivariant attention, over atoms, [CLS] and the distribution token: invariant weights carry scalars, vectors and
relative directions together.

    a_ij = softmax_j( q_i.k_j / sqrt(c) + bias(e_ij) )           q, k hold scalars and vectors: the product is invariant
    s_i <- sum_j a_ij s_j,     v_i <- sum_j a_ij v_j + sum_j a_ij gate(e_ij) (x_i - x_j) u_j

The last sum is the message that makes vectors out of positions; it factorises into two products with a_ij gate(e_ij),
so no tensor of shape (B, N, N, 3, channels) is ever built.
Source: Ilin, Sushko, Krishna, DiScoFormer, arXiv 2511.05924; tokens: Drautz 2019 (ACE, doi 10.1103/PhysRevB.99.014104),
Geiger and Smidt, e3nn, arXiv 2207.09453; adaptive layer norm: Peebles and Xie, arXiv 2212.09748.
"""

import math
from dataclasses import asdict, dataclass, fields
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from molscore.errors import CheckpointError, InputError
from molscore.nn.harmonics import SphericalHarmonics, wigner_3j

__all__ = [
    "EXTRA_TOKENS", "LN_SIGMA_RANGE", "NOISE_WAVES", "PRESETS", "Block", "EquivariantAttention", "GraphTokenizer",
    "ModelConfig", "RadialBasis", "Stack", "Tokens", "noise_waves", "shrink",
]  # fmt: skip

EXTRA_TOKENS = 2  # [CLS] and the distribution token, behind the atoms
LN_SIGMA_RANGE = (math.log(0.002), math.log(60.0))
NOISE_WAVES = 32


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of the tokenizer, the backbone and the heads."""

    dim: int = 128  # scalar channels of a token
    vectors: int = 32  # vector (1o) channels of a token
    heads: int = 8  # attention heads
    coarse_blocks: int = 3  # blocks that read the noisy geometry
    fine_blocks: int = 3  # blocks that read the geometry the coarse ones denoised
    pair_dim: int = 64  # channels of a pair of atoms
    basis: int = 32  # radial functions of a distance in Å; half as many of the noise-scaled distance
    l_max: int = 3  # highest spherical harmonic of the tokenizer
    ratio: int = 4  # width of the feed-forward layer over `dim`

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if type(value) is not int or value < 1:
                raise InputError(f"model config: {name} must be a positive whole number, not {value!r}")
        if self.dim % self.heads or self.vectors % self.heads or self.l_max < 2:
            raise InputError("model config: heads must divide dim and vectors, and l_max must be at least 2")

    @classmethod
    def from_dict(cls, values: dict[str, int]) -> "ModelConfig":
        """Rebuild from JSON; raises CheckpointError on a field that is unknown or missing."""
        names = {f.name for f in fields(cls)}
        if set(values) != names:
            odd = sorted(set(values) ^ names)
            raise CheckpointError(f"model config: unknown or missing fields {odd}; was it made by another version?")
        return cls(**values)

    def to_dict(self) -> dict[str, int]:
        """JSON-able fields."""
        return asdict(self)


PRESETS = {
    "S": ModelConfig(dim=96, vectors=24, heads=6, coarse_blocks=2, fine_blocks=3, pair_dim=48),
    "M": ModelConfig(),
    "L": ModelConfig(dim=192, vectors=48, heads=8, coarse_blocks=3, fine_blocks=4),
}


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


def shrink(vectors: Tensor) -> Tensor:
    """v / sqrt(1 + mean |v|^2) over the channels of (..., 3, V): bounded, and a gain of at most one.

    Where symmetry makes every vector of an atom zero, floats leave noise of 1e-7: a normalisation that lifts it makes
    the density of a symmetric molecule depend on its orientation.
    """
    return vectors * torch.rsqrt(1.0 + vectors.square().sum(-2, keepdim=True).mean(-1, keepdim=True))


class EquivariantAttention(nn.Module):
    """Multi-head attention over tokens of scalars (B, T, dim) and vectors (B, T, 3, V)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim, channels, heads = config.dim, config.vectors, config.heads
        self.heads, self.per_head, self.v_head = heads, dim // heads, channels // heads
        self.qkv = nn.Linear(dim, 3 * dim + channels, bias=False)
        self.vector_qkv = nn.Linear(channels, 3 * channels, bias=False)
        self.out_scalars = nn.Linear(dim, dim)
        self.out_vectors = nn.Linear(2 * channels, channels, bias=False)

    def _split(self, scalars: Tensor, vectors: Tensor) -> Tensor:
        """Scalars (B, T, H*c) and vectors (B, T, 3, H*v) side by side in each head: (B, H, T, c + 3v)."""
        B, T, H = scalars.shape[0], scalars.shape[1], self.heads
        s = scalars.view(B, T, H, -1).transpose(1, 2)
        v = vectors.view(B, T, 3, H, -1).permute(0, 3, 1, 2, 4).reshape(B, H, T, -1)
        return torch.cat([s, v], dim=-1)

    def _merge_vectors(self, v: Tensor) -> Tensor:
        """(B, H, T, 3v) -> (B, T, 3, H*v)."""
        B, H, T, _ = v.shape
        return v.view(B, H, T, 3, -1).permute(0, 2, 3, 1, 4).reshape(B, T, 3, -1)

    def forward(
        self, scalars: Tensor, vectors: Tensor, positions: Tensor, bias: Tensor, gate: Tensor
    ) -> tuple[Tensor, Tensor]:
        """positions (B, T, 3), dimensionless; bias and gate (B, H, T, T) -> updates of scalars and vectors."""
        B, T, dim = scalars.shape
        s_q, s_k, s_v, u = self.qkv(scalars).split([dim, dim, dim, self.vector_qkv.in_features], dim=-1)
        v_q, v_k, v_v = self.vector_qkv(vectors).chunk(3, dim=-1)
        q, k, values = self._split(s_q, v_q), self._split(s_k, v_k), self._split(s_v, v_v)
        logits = torch.matmul(q * (self.per_head + 3 * self.v_head) ** -0.5, k.transpose(-1, -2)) + bias
        a = torch.softmax(logits, dim=-1)
        carried = torch.matmul(a, values)

        # sum_j w_ij (x_i - x_j) u_j  =  x_i sum_j w_ij u_j  -  sum_j w_ij x_j u_j
        u = u.view(B, T, self.heads, -1).transpose(1, 2)  # (B, H, T, v)
        x = positions[:, None, :, :, None]  # (B, 1, T, 3, 1)
        x_u = (x * u[:, :, :, None, :]).flatten(3)
        w = a * gate
        sums = torch.matmul(w, torch.cat([u, x_u], dim=-1))
        relative = (x * sums[..., None, : self.v_head]).flatten(3) - sums[..., self.v_head :]

        s = carried[..., : self.per_head].transpose(1, 2).reshape(B, T, dim)
        v = torch.cat([self._merge_vectors(carried[..., self.per_head :]), self._merge_vectors(relative)], dim=-1)
        return self.out_scalars(s), self.out_vectors(v)


class Block(nn.Module):
    """Attention, then a feed-forward layer that mixes scalars with the invariant products of vectors."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim, channels = config.dim, config.vectors
        self.modulation = nn.Linear(dim, 4 * dim + 2 * channels)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)
        self.split = [dim, dim, dim, dim, channels, channels]
        self.attention = EquivariantAttention(config)
        self.vector_in = nn.Linear(channels, 2 * channels, bias=False)
        self.hidden = nn.Linear(dim + channels, config.ratio * dim)
        self.out = nn.Linear(config.ratio * dim, dim + channels)
        self.vector_out = nn.Linear(channels, channels, bias=False)
        for layer in (self.attention.out_scalars, self.out):
            nn.init.normal_(layer.weight, std=0.2 * layer.in_features**-0.5)
            nn.init.zeros_(layer.bias)

    def forward(
        self, s: Tensor, v: Tensor, x: Tensor, bias: Tensor, gate: Tensor, condition: Tensor, atoms: Tensor
    ) -> tuple[Tensor, Tensor]:
        """s (B, T, dim), v (B, T, 3, V), condition (B, dim), atoms (B, T, 1, 1) float -> the same shapes."""
        modulation = self.modulation(condition)[:, None].split(self.split, dim=-1)
        scale_1, shift_1, scale_2, shift_2, gain_1, gain_2 = modulation
        h = F.layer_norm(s, s.shape[-1:]) * (1 + scale_1) + shift_1
        ds, dv = self.attention(h, shrink(v), x, bias, gate)
        s, v = s + ds, v + dv * (1 + gain_1[:, :, None]) * atoms

        h = F.layer_norm(s, s.shape[-1:]) * (1 + scale_2) + shift_2
        v_1, v_2 = self.vector_in(shrink(v)).chunk(2, dim=-1)
        invariants = (v_1 * v_2).sum(-2)
        h = self.out(F.silu(self.hidden(torch.cat([h, invariants], dim=-1))))
        ds, vector_gate = h.split([s.shape[-1], v.shape[-1]], dim=-1)
        return s + ds, v + self.vector_out(v_1 * (1 + gain_2 + vector_gate)[:, :, None]) * atoms


class Stack(nn.Module):
    """Blocks that share one set of pair features: their attention biases and gates are read off in one product."""

    def __init__(self, config: ModelConfig, blocks: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(config) for _ in range(blocks))
        self.heads = config.heads
        self.from_pairs = nn.Linear(config.pair_dim, 2 * blocks * config.heads)
        self.extra_bias = nn.Parameter(torch.zeros(blocks, config.heads, EXTRA_TOKENS))

    def forward(
        self, s: Tensor, v: Tensor, x: Tensor, pairs: Tensor, mask: Tensor, condition: Tensor
    ) -> tuple[Tensor, Tensor]:
        """s (B, T, dim), v (B, T, 3, V), x (B, T, 3) for T = N + 2 tokens; pairs (B, N, N, P); mask (B, T) bool."""
        B, T = mask.shape
        N, L, H = T - EXTRA_TOKENS, len(self.blocks), self.heads
        readout = self.from_pairs(pairs).permute(0, 3, 1, 2).contiguous()  # (B, 2LH, N, N)
        bias, gate = F.pad(readout, (0, EXTRA_TOKENS, 0, EXTRA_TOKENS)).view(B, 2, L, H, T, T).unbind(1)
        closed = torch.zeros_like(mask, dtype=s.dtype).masked_fill(~mask, -1e9)[:, None, None]
        extra = F.pad(self.extra_bias, (N, 0))[None, :, :, None]  # (1, L, H, 1, T)
        atoms = F.pad(mask[:, :N], (0, EXTRA_TOKENS))[..., None, None].to(s.dtype)
        for index, block in enumerate(self.blocks):
            s, v = block(s, v, x, bias[:, index] + (extra[:, index] + closed), gate[:, index], condition, atoms)
        return s, v
