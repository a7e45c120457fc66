"""Bonds between every pair of atoms, as the coarse half of the network sees them.

    l_ij = W silu(P e_ij + A s_i + A s_j),      logits_ij = (l_ij + l_ji)/2

An atom that lacks a bond needs a neighbour that lacks one too: the fine half is told what the coarse half expects of
every pair, so that the two decide together. What it is told starts at zero.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from molscore.nn.config import ModelConfig

__all__ = ["BOND_ORDERS", "BondHead"]

BOND_ORDERS = ("none", "single", "double", "triple", "aromatic")


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
        logits = self.logits(F.silu(self.from_pairs(pairs) + a[:, :, None] + a[:, None]))
        logits = (logits + logits.transpose(1, 2)) / 2
        return logits, self.to_pairs(torch.softmax(logits, dim=-1))
