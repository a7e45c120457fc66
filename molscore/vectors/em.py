"""Gaussian mixtures of many sets at once by expectation maximisation, their numbers of components by BIC.

    r_ik = w_k N(x_i; m_k, C_k) / sum_l w_l N(x_i; m_l, C_l),     N_k = sum_i r_ik,     w_k = N_k/n
    m_k = sum_i r_ik x_i / N_k,     C_k = (sum_i r_ik (x_i - m_k)(x_i - m_k)^T + a v 1) / (N_k + a)

with a = 2 + d/8 samples' weight of an isotropic covariance, v the variance within components. No random start, unlike
scikit-learn's: it begins where samples gather and far apart, so that the fit turns with the data.
"""

import math
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["GaussianMixtures", "expectation_maximisation"]

COMPONENTS = (1, 2, 3, 4, 6, 8, 11, 16)  # of which BIC chooses; no more than a quarter of the samples
STEPS = 15


class GaussianMixtures(NamedTuple):
    """B mixtures of K components in D dimensions, d of them real."""

    log_weights: Tensor  # (B, K), -inf for a component that is not there
    means: Tensor  # (B, K, D)
    inverses: Tensor  # (B, K, D, D) L^-1 of the covariances L L^T, with one on the diagonal of padding
    samples: Tensor  # (B, K) N_k

    def log_parts(self, y: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        """ln w_k N(y; m_k, C_k) (B, K, m) of y (B, m, D), and z = L_k^-1 (y - m_k) (B, K, D, m)."""
        B, K, D, _ = self.inverses.shape
        z = (self.inverses.reshape(B, K * D, D) @ y.transpose(1, 2)).view(B, K, D, -1)
        z = z - self.inverses @ self.means[..., None]
        log_det = self.inverses.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        constant = self.log_weights + log_det - (d / 2 * math.log(2 * math.pi))[:, None]
        return constant[..., None] - z.square().sum(-2) / 2, z

    def estimate(self, y: Tensor, d: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """ln p (B, m), its gradient (B, m, D) and the samples that they rest on (B, m), at y (B, m, D)."""
        log_parts, z = self.log_parts(y, d)
        r = log_parts.softmax(1)
        pull = self.inverses.transpose(-1, -2) @ (r[:, :, None] * z)
        return log_parts.logsumexp(1), -pull.sum(1).transpose(1, 2), (r * self.samples[..., None]).sum(1)


@torch.no_grad()
def expectation_maximisation(x: Tensor, d: Tensor, gathered: Tensor, weight: Tensor) -> GaussianMixtures:
    """The mixtures of samples x (B, n, D) in d (B,) dimensions.

    Args:
        gathered: (B, n, D) the samples, each moved to where those near it gather: components begin there.
        weight: (B, n) of a sample in the choice of where.
    """
    B, n, D = x.shape
    most = max(COMPONENTS)
    centres = _far_apart(gathered, weight, most)
    products = (x[..., :, None] * x[..., None, :]).flatten(2)
    padding = torch.diag_embed((torch.arange(D, device=x.device) >= d[:, None]).to(x.dtype))
    lowest, best = torch.full_like(d, math.inf), None
    for K in (1, *(K for K in COMPONENTS[1:] if n >= 4 * K)):
        mixtures = _maximise(x, products, _assigned(gathered, centres[:, :K]), d, padding)
        for _ in range(STEPS if K > 1 else 0):
            mixtures = _maximise(x, products, mixtures.log_parts(x, d)[0].softmax(1), d, padding)
        free = K - 1 + K * (d + d * (d + 1) / 2)
        bic = free * math.log(n) - 2 * mixtures.log_parts(x, d)[0].logsumexp(1).sum(-1)
        mixtures = _padded(mixtures, most)
        better = bic < lowest
        lowest = torch.where(better, bic, lowest)
        best = mixtures if best is None else GaussianMixtures(*map(partial(_where, better), mixtures, best))
    return best


def _maximise(x: Tensor, products: Tensor, r: Tensor, d: Tensor, padding: Tensor) -> GaussianMixtures:
    """The M step: mixtures of samples x (B, n, D), with products x x^T (B, n, D*D), that belong by r (B, K, n)."""
    N = r.sum(-1).clamp_min(1e-6)
    means = r @ x / N[..., None]
    scatter = (r @ products).view(*means.shape, -1)
    scatter = scatter - N[..., None, None] * means[..., :, None] * means[..., None, :]
    a = (2 + d / 8)[:, None]
    v = (scatter.diagonal(dim1=-2, dim2=-1).sum((-1, -2)) / (x.shape[1] * d)).clamp_min(1e-4)
    one = torch.eye(x.shape[2], dtype=x.dtype, device=x.device) - padding
    C = (scatter + (a * v[:, None])[..., None, None] * one[:, None]) / (N + a)[..., None, None] + padding[:, None]
    root, one = torch.linalg.cholesky_ex(C).L, torch.eye(x.shape[2], dtype=x.dtype, device=x.device)
    return GaussianMixtures((N / x.shape[1]).log(), means, torch.linalg.solve_triangular(root, one, upper=False), N)


def _far_apart(points: Tensor, weight: Tensor, K: int) -> Tensor:
    """K of the points (B, n, D), each the farthest from those before, by weight (B, n) times square; (B, K, D)."""
    chosen = (weight / (1 + points.square().sum(-1))).argmax(-1)
    nearest, found = torch.full_like(weight, math.inf), []
    for _ in range(K):
        found.append(points.gather(1, chosen[:, None, None].expand(-1, 1, points.shape[2])))
        nearest = torch.minimum(nearest, (points - found[-1]).square().sum(-1))
        chosen = (weight * nearest).argmax(-1)
    return torch.cat(found, dim=1)


def _assigned(points: Tensor, centres: Tensor) -> Tensor:
    """One for the centre that is nearest to a point, (B, K, n)."""
    nearest = torch.cdist(centres, points).argmin(1, keepdim=True)
    return (torch.arange(centres.shape[1], device=points.device)[:, None] == nearest).to(points.dtype)


def _where(better: Tensor, new: Tensor, old: Tensor) -> Tensor:
    """Of each set, `new` where it is better (B,)."""
    return torch.where(better.view(-1, *[1] * (new.ndim - 1)), new, old)


def _padded(mixtures: GaussianMixtures, K: int) -> GaussianMixtures:
    """The same with components that are not there, up to K."""
    B, k, D = mixtures.means.shape
    if k == K:
        return mixtures
    one = torch.eye(D, dtype=mixtures.means.dtype, device=mixtures.means.device).expand(B, K - k, D, D)
    return GaussianMixtures(
        F.pad(mixtures.log_weights, (0, K - k), value=-math.inf),
        F.pad(mixtures.means, (0, 0, 0, K - k)),
        torch.cat([mixtures.inverses, one], dim=1),
        F.pad(mixtures.samples, (0, K - k)),
    )
