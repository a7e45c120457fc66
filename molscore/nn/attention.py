"""Equivariant attention: invariant weights carry scalars, vectors and relative directions together.

    a_ij = softmax_j( q_i.k_j / sqrt(c) + bias(e_ij) )           q, k hold scalars and vectors: the product is invariant
    s_i <- sum_j a_ij s_j,     v_i <- sum_j a_ij v_j + sum_j a_ij gate(e_ij) (x_i - x_j) u_j

The last sum is the message that makes vectors out of positions; it factorises into two products with a_ij gate(e_ij),
so no tensor of shape (B, N, N, 3, channels) is ever built.
"""

import torch
from torch import Tensor, nn

from molscore.nn.config import ModelConfig

__all__ = ["EquivariantAttention", "shrink"]


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
