"""Random Gaussian mixtures with exact log-density and score: what the network on vectors is trained and judged on.

    f(y) = sum_k w_k N(y; mu_k, Q_k diag(v_k) Q_k^T)

Two families. `published` is that of arXiv 2511.05924: 1 to 10 components, means U[-3, 3]^d, variances U[0.2, 1] along
the axes. `broad` has up to 16 components that lie in clusters, shells or on top of each other (of unlike widths, so
tails are heavy and peaks sharp), turned at random, with unequal weights.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Mixtures", "broad", "published"]


class Mixtures(NamedTuple):
    """B mixtures of K components in the first d of D dimensions; what lies beyond is zero."""

    log_weights: Tensor  # (B, K)
    means: Tensor  # (B, K, D)
    variances: Tensor  # (B, K, D)
    axes: Tensor  # (B, K, D) unit vector a of the reflection Q = 1 - 2 a a^T, or zero
    live: Tensor  # (B, D) one in dimensions below d, else zero

    def sample(self, n: int) -> Tensor:
        """(B, n, D) draws, by torch's global generator."""
        B, K, D = self.means.shape
        k = torch.multinomial(self.log_weights.exp(), n, replacement=True)[..., None].expand(B, n, D)
        z = torch.randn(B, n, D, device=k.device) * self.variances.gather(1, k).sqrt()
        a = self.axes.gather(1, k)
        return (self.means.gather(1, k) + z - 2 * (z * a).sum(-1, keepdim=True) * a) * self.live[:, None]

    def log_density_and_score(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """ln f (B, m) in nats and its gradient (B, m, D) at y (B, m, D)."""
        live, variances, a = self.live[:, None], self.variances[:, None], self.axes[:, None]
        z = (y[:, :, None] - self.means[:, None]) * live[:, None]
        z = z - 2 * (z * a).sum(-1, keepdim=True) * a
        pull = z / variances  # (B, m, K, D)
        d = self.live.sum(-1)
        constant = self.log_weights - ((self.variances.log() * live).sum(-1) + d[:, None] * math.log(2 * math.pi)) / 2
        log_parts = constant[:, None] - (z * pull).sum(-1) / 2
        pull = pull - 2 * (pull * a).sum(-1, keepdim=True) * a
        return log_parts.logsumexp(-1), -(log_parts.softmax(-1)[..., None] * pull).sum(2)


def published(d: Tensor, D: int, most: int = 10, fewest: int = 1) -> Mixtures:
    """Mixtures of the paper, in d (B,) of D dimensions, of `fewest` to `most` components of random weights."""
    B, device = len(d), d.device
    K = torch.randint(fewest, most + 1, (B, 1), device=device)
    closed = torch.arange(most, device=device) >= K
    weights = torch.rand(B, most, device=device).mul_(0.9).add_(0.1).masked_fill_(closed, 0.0)
    means = 6 * torch.rand(B, most, D, device=device) - 3
    variances = 0.2 + 0.8 * torch.rand(B, most, D, device=device)
    live = _live(d, D)
    log_weights = (weights / weights.sum(-1, keepdim=True)).log()
    return Mixtures(log_weights, means * live[:, None], variances, torch.zeros_like(means), live)


def broad(d: Tensor, D: int) -> Mixtures:
    """Mixtures of many kinds: clusters, shells, heavy tails and sharp peaks; in d (B,) of D dimensions."""
    B, device, most = len(d), d.device, 16
    live = _live(d, D)
    K = torch.randint(1, most + 1, (B, 1), device=device)
    closed = torch.arange(most, device=device) >= K
    weights = torch.distributions.Exponential(1.0).expand((B, most)).sample().to(device).add_(0.02)
    weights = weights.masked_fill(closed, 0.0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, device=device)

    centres = normal(B, 4, D)  # of clusters of components
    which = torch.randint(0, 4, (B, most, 1), device=device).expand(B, most, D)
    tight = torch.rand(B, 1, 1, device=device) ** 2  # share of the spread that is within clusters
    means = centres.gather(1, which) * (1 - tight).sqrt() + normal(B, most, D) * tight.sqrt()
    kind = torch.rand(B, 1, 1, device=device)
    shell = means / (means * live[:, None]).norm(dim=-1, keepdim=True).clamp_min(1e-3) * d.sqrt()[:, None, None]
    means = torch.where(kind < 0.25, shell, means)
    means = torch.where(kind > 0.7, torch.zeros_like(means), means)  # one centre: a scale mixture
    means = means * torch.exp(0.5 * normal(B, 1, 1) + 0.6)
    widths = torch.where(kind > 0.7, 0.9, 0.4) * normal(B, most, 1)  # of ln deviation, from one component to the next
    along = 0.5 * normal(B, 1, 1).abs() * normal(B, most, D)  # and from one axis to the next
    variances = torch.exp(2 * (widths + along).clamp(-2.0, 2.0) - 1.0)
    axes = normal(B, most, D) * live[:, None]
    axes = axes / axes.norm(dim=-1, keepdim=True).clamp_min(1e-6)
    log_weights = (weights / weights.sum(-1, keepdim=True)).log()
    return Mixtures(log_weights, means * live[:, None], variances, axes, live)


def _live(d: Tensor, D: int) -> Tensor:
    return (torch.arange(D, device=d.device) < d[:, None]).to(torch.float32)
