"""What tells the network which distribution is meant: a token, the spread of its data and its offset of the density.

    token = t_distribution                             learned with the model, or adapted to new data
    token = t_distribution + W [q_1' ... q_Q']         given references R = {r_1 ... r_K}
    q_i' = sum_k softmax_k(q_i . K h(r_k)) V h(r_k)    attention of learned queries: the order of R does not matter

h(r) is what the trunk itself says of a reference molecule (`DiScoFormer.state`), each channel less its mean over
molecules and over its deviation: molecules share most of it. W starts at zero, so that a model that was never shown
references is one that ignores them.
Source: Lee et al. 2019, Set Transformer, arXiv 1810.00825, equation 11 (pooling by attention); Ilin, Sushko, Krishna,
DiScoFormer, arXiv 2511.05924 (a density in the context of a set).
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from molscore.nn.config import ModelConfig

__all__ = ["REFERENCE_SIGMA", "Context", "DistributionContext", "ReferenceEncoder"]

REFERENCE_SIGMA = 0.05  # Å, the noise level at which references are read, at their positions as they are
QUERIES = 4


class Context(NamedTuple):
    """Which distribution each of B molecules is judged by."""

    token: Tensor  # (B, dim)
    sigma_N: Tensor  # (B,) Å, deviation of the data per degree of freedom at the molecule's size
    offset: Tensor  # (B, NOISE_WAVES), the weights of r(sigma), the part of U that depends on the noise alone


class DistributionContext(NamedTuple):
    """One distribution for molecules of any size."""

    token: Tensor  # (dim,)
    sigma_N: Tensor  # (max_atoms + 1,) Å
    offset: Tensor  # (NOISE_WAVES,)

    def at(self, sizes: Tensor) -> Context:
        """The context of molecules of `sizes` (B,) atoms."""
        B = len(sizes)
        return Context(self.token.expand(B, -1), self.sigma_N[sizes], self.offset.expand(B, -1))


class ReferenceEncoder(nn.Module):
    """A set of reference molecules' states -> what it adds to the distribution's token."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim = config.dim
        self.heads = config.heads
        self.register_buffer("mean", torch.zeros(2 * dim))
        self.register_buffer("deviation", torch.ones(2 * dim))
        self.queries = nn.Parameter(torch.randn(QUERIES, dim) * dim**-0.5)
        self.read = nn.Sequential(nn.Linear(2 * dim, dim), nn.SiLU(), nn.Linear(dim, dim), nn.SiLU())
        self.key_value = nn.Linear(dim, 2 * dim)
        self.hidden = nn.Linear(QUERIES * dim, dim)
        self.out = nn.Linear(dim, dim, bias=False)
        nn.init.zeros_(self.out.weight)

    @property
    def trained(self) -> bool:
        """Whether references change anything."""
        return bool(self.out.weight.any())

    def standardise(self, states: Tensor) -> None:
        """Take mean and deviation of each channel from the states of many molecules (M, 2 dim)."""
        self.mean.copy_(states.mean(0))
        self.deviation.copy_(states.std(0).clamp_min(1e-4))

    def forward(self, states: Tensor, present: Tensor) -> Tensor:
        """states (B, K, 2 dim) and present (B, K) bool -> (B, dim), zero for a molecule without references."""
        B, K, _ = states.shape
        h = self.read((states - self.mean) / self.deviation)
        keys, values = self.key_value(h).view(B, K, 2, self.heads, -1).permute(2, 0, 3, 1, 4)  # (B, H, K, c)
        queries = self.queries.view(QUERIES, self.heads, -1).transpose(0, 1)  # (H, Q, c)
        logits = queries @ keys.transpose(-1, -2) * keys.shape[-1] ** -0.5  # (B, H, Q, K)
        a = torch.softmax(logits.masked_fill(~present[:, None, None], -1e9), dim=-1)
        pooled = (a @ values).permute(0, 2, 1, 3).reshape(B, -1)
        return self.out(F.silu(self.hidden(pooled))) * present.any(1, keepdim=True)
