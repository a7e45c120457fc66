"""The DiScoFormer backbone: pre-norm transformer blocks over atoms, [CLS] and the distribution token.

Source: Ilin, Sushko, Krishna, DiScoFormer, arXiv 2511.05924; adaptive layer norm: Peebles and Xie, arXiv 2212.09748.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from molscore.nn.attention import EquivariantAttention, shrink
from molscore.nn.config import ModelConfig

__all__ = ["EXTRA_TOKENS", "Block", "Stack"]

EXTRA_TOKENS = 2  # [CLS] and the distribution token, behind the atoms


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
