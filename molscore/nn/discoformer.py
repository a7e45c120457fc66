"""The whole network: condition -> coarse tokens and blocks -> denoised guess -> fine tokens and blocks -> two heads.

Noisy positions say little about bonds at middle noise and the coarse half's guess of the clean ones says much. So the
fine half reads the geometry of that guess and the bonds that it suggests, with what the coarse half knew still in the
stream. Both guesses have the same target.

Which distribution is meant, its `Context` says: a token, the spread of its data and its offset of the density.

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

from molscore.nn.backbone import EXTRA_TOKENS, NOISE_WAVES, GraphTokenizer, ModelConfig, Stack, Tokens, noise_waves
from molscore.nn.heads import BondHead, DensityHead, Estimate, Preconditioning, VectorReadout

__all__ = ["REFERENCE_SIGMA", "Context", "Denoised", "DiScoFormer", "DistributionContext", "ReferenceEncoder"]

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


class Denoised(NamedTuple):
    """Everything one pass of the trunk knows."""

    coarse: Tensor  # (B, N, 3) Å, the coarse half's denoised positions
    fine: Tensor  # (B, N, 3) Å, D(y, sigma)
    F: Tensor  # (B, N, 3), with D = c_skip y + c_out F
    scalars: Tensor  # (B, N, dim)
    vectors: Tensor  # (B, N, 3, V)
    cls: Tensor  # (B, dim)
    bonds: Tensor  # (B, N, N, 5) logits of `molscore.nn.heads.BOND_ORDERS`
    c: Preconditioning
    offset: Tensor  # (B, NOISE_WAVES), the context's


class DiScoFormer(nn.Module):
    """Score and normalised log-density of centred positions given their elements, for several distributions.

    Args:
        config: sizes.
        elements: symbols of the element table, the union over distributions.
        sigma_N: (n_distributions, max_atoms + 1) deviation of the data per degree of freedom in Å.
    """

    def __init__(self, config: ModelConfig, elements: tuple[str, ...], sigma_N: Tensor) -> None:
        super().__init__()
        self.config, self.elements = config, elements
        self.register_buffer("sigma_N", sigma_N)
        dim, n = config.dim, len(elements)
        self.distribution_token = nn.Embedding(len(sigma_N), dim)
        self.noise_offset = nn.Parameter(torch.zeros(len(sigma_N), NOISE_WAVES))
        self.reference_encoder = ReferenceEncoder(config)
        self.condition = nn.Sequential(nn.Linear(NOISE_WAVES + dim, dim), nn.SiLU(), nn.Linear(dim, dim), nn.SiLU())
        self.element_token = nn.Embedding(n, dim)
        self.extra_tokens = nn.Linear(dim, EXTRA_TOKENS * dim)
        self.coarse_tokenizer, self.fine_tokenizer = GraphTokenizer(config, n), GraphTokenizer(config, n)
        self.coarse_stack, self.fine_stack = Stack(config, config.coarse_blocks), Stack(config, config.fine_blocks)
        self.coarse_head, self.score_head = VectorReadout(config), VectorReadout(config)
        self.bond_head = BondHead(config)
        self.density_head = DensityHead(config)

    def context(self, distribution: Tensor, sizes: Tensor) -> Context:
        """The context of a learned distribution: its index (B,), and sizes (B,) in atoms."""
        token, offset = self.distribution_token(distribution), self.noise_offset[distribution]
        return Context(token, self.sigma_N[distribution, sizes], offset)

    def given(self, context: Context, states: Tensor, present: Tensor) -> Context:
        """The context moved by references: their `state` (B, K, 2 dim), those that are `present` (B, K) bool."""
        return context._replace(token=context.token + self.reference_encoder(states, present))

    def state(self, x: Tensor, elements: Tensor, mask: Tensor, context: Context) -> Tensor:
        """What the trunk says of molecules as they are, (B, 2 dim): [CLS] and the mean over atoms. It has no gradient.

        Shapes as in `forward`.
        """
        with torch.no_grad():
            found = self.denoise(x, elements, mask, torch.full_like(context.sigma_N, REFERENCE_SIGMA), context)
            atoms = mask[..., None].to(found.scalars.dtype)
            return torch.cat([found.cls, (found.scalars * atoms).sum(1) / atoms.sum(1)], dim=-1)

    def _add_tokens(self, s: Tensor, v: Tensor, tokens: Tokens) -> tuple[Tensor, Tensor]:
        scalars = F.pad(tokens.scalars, (0, 0, 0, EXTRA_TOKENS))
        return s + scalars, v + F.pad(tokens.vectors, (0, 0, 0, 0, 0, EXTRA_TOKENS))

    def denoise(self, y: Tensor, elements: Tensor, mask: Tensor, sigma: Tensor, context: Context) -> Denoised:
        """One pass of the trunk and the score head. Shapes as in `forward`."""
        B, N = mask.shape
        c = Preconditioning.at(sigma, context.sigma_N.to(y.dtype))
        atoms = mask[..., None].to(y.dtype)
        pair_mask = (atoms * atoms.transpose(1, 2)) * (1 - torch.eye(N, dtype=y.dtype, device=y.device))
        token_mask = F.pad(mask, (0, EXTRA_TOKENS), value=True)
        condition = self.condition(torch.cat([noise_waves(sigma), context.token], dim=-1))

        extra = self.extra_tokens(condition).view(B, EXTRA_TOKENS, -1)
        s = torch.cat([self.element_token(elements) * atoms, extra], dim=1)
        v = y.new_zeros(B, N + EXTRA_TOKENS, 3, self.config.vectors)
        coarse = self.coarse_tokenizer(y, elements, pair_mask, c.c_in, condition)
        s, v = self._add_tokens(s, v, coarse)
        x = F.pad(y * c.c_in[:, None, None], (0, 0, 0, EXTRA_TOKENS))
        s, v = self.coarse_stack(s, v, x, coarse.pairs, token_mask, condition)
        F_coarse = self.coarse_head(s[:, :N], v[:, :N], mask)
        guess = (c.c_skip[:, None, None] * y + c.c_out[:, None, None] * F_coarse) * atoms

        fine = self.fine_tokenizer(guess, elements, pair_mask, c.c_in, condition)
        s, v = self._add_tokens(s, v, fine)
        x = F.pad(guess / 1.5, (0, 0, 0, EXTRA_TOKENS))
        pairs = fine.pairs + coarse.pairs
        bonds, expected = self.bond_head(pairs, s[:, :N])
        s, v = self.fine_stack(s, v, x, pairs + expected, token_mask, condition)
        F_fine = F_coarse + self.score_head(s[:, :N], v[:, :N], mask)
        D = (c.c_skip[:, None, None] * y + c.c_out[:, None, None] * F_fine) * atoms
        return Denoised(guess, D, F_fine, s[:, :N], v[:, :N], s[:, -EXTRA_TOKENS], bonds, c, context.offset)

    def energy(self, y: Tensor, denoised: Denoised, mask: Tensor) -> Tensor:
        """U (B,) = -log_density in nats, from a pass of the trunk over the same `y`."""
        return self.atom_energies(y, denoised, mask).sum(1)

    def atom_energies(self, y: Tensor, denoised: Denoised, mask: Tensor) -> Tensor:
        """The share of each atom in U, (B, N) nats."""
        return self.density_head(y, *denoised[2:6], mask, denoised.c, denoised.offset)

    def forward(self, y: Tensor, elements: Tensor, mask: Tensor, sigma: Tensor, context: Context) -> Estimate:
        """Both heads in one pass.

        Args:
            y: (B, N, 3) Å, centred over real atoms, zero at padding.
            elements: (B, N) indices into `self.elements`.
            mask: (B, N) bool, True for real atoms; two or more a molecule.
            sigma: (B,) Å.
            context: which distribution is meant, for each molecule.
        """
        denoised = self.denoise(y, elements, mask, sigma, context)
        score = (denoised.fine - y) / sigma.square()[:, None, None]
        return Estimate(score, -self.energy(y, denoised, mask))
