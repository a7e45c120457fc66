"""Simple estimates of a density and its score at a query: what each token of the network starts from.

With weights k_j = exp(-|y - x_j|^2/2h^2) of the samples, their mean m and covariance C, and u = m - y:

    kernel density          ln p_h(y) = ln mean_j N(y; x_j, h^2),                       score u / h^2
    local Gaussian          ln p(y) = ln p_h + ln det(h^2 C^-1) / 2 - u.C^-1 u / 2,     score C^-1 u
    Gaussian of a cluster   ln p(y) = ln(mean_j k_j) + ln N(y; m, C),                   score C^-1 u
    Gaussian mixture        by expectation maximisation, components and covariances by BIC: `molscore.vectors.em`

The second takes the kernel's blur off, exactly where p is a Gaussian as far as the kernel sees (local likelihood: Hjort
and Jones 1996, doi 10.1214/aos/1032298288). The third weighs samples by how near their m is to the query's own, in
place of y and x (a step of mean shift gathers a cluster: Cheng 1995, doi 10.1109/34.400568), which is right where
clusters are apart. C is drawn towards an isotropic one, wider where few samples are near, by the weight of 2 + d/8
samples.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from molscore.vectors.em import GaussianMixtures, expectation_maximisation

__all__ = ["Estimates", "Fitted", "log_normal", "simple_estimates"]

TIGHT = 0.65  # bandwidth between means over that of the means
FAR = 30.0  # nats per dimension below the standard normal, from where on simple estimates are compressed
MIDDLE = 2  # of the bandwidths, the one by which samples gather where the mixture's components begin
STEEP = 20.0  # root mean square score per dimension, at which they are cut


class Fitted(NamedTuple):
    """What is known of the samples before any query."""

    means: Tensor  # (K, B, n, D) mean of the samples near each sample, for each bandwidth
    mixture: GaussianMixtures
    levels: Tensor | None = None  # (B, E) mean of f over the samples: by how much each estimate explains them


class Estimates(NamedTuple):
    """What E simple estimates say at m queries: kernel densities, local Gaussians, Gaussians of clusters, a mixture."""

    f: Tensor  # (B, m, E) (ln p - ln N(y; 0, 1)) / d
    scores: Tensor  # (B, m, D, E), the gradient of ln p
    widths: Tensor  # (B, E), their bandwidths h
    samples: Tensor  # (B, m, E), ln of the effective number of samples that they rest on
    fitted: Fitted


def log_normal(y: Tensor, d: Tensor) -> Tensor:
    """ln N(y; 0, 1) of y (B, m, D) in the first d (B,) of its dimensions, (B, m)."""
    return -y.square().sum(-1) / 2 - d[:, None] / 2 * math.log(2 * math.pi)


def simple_estimates(
    y: Tensor,
    x: Tensor,
    own: Tensor,
    d: Tensor,
    bandwidths: tuple[float, ...],
    local: int,
    clusters: int,
    fitted: Fitted | None = None,
) -> Estimates:
    """Estimates from samples x (B, n, D) at queries y (B, m, D); see the module's text.

    Args:
        y: (B, m, D) queries.
        x: (B, n, D) samples.
        own: (B, m) the row of x that the query is itself, left out of its own estimates; -1 for none.
        d: (B,) dimensions; coordinates beyond are zero.
        bandwidths: K shares of Silverman's h = (4/(d + 2)/n)^(1/(d + 4)), each for a kernel density.
        local: how many of them, from the first, for a local Gaussian.
        clusters: how many for a Gaussian of the cluster.
        fitted: that of an earlier call for the same samples; None where the first n of y are x.
    """
    n = x.shape[1]
    itself = own[:, :, None] == torch.arange(n, device=y.device)
    log_others = torch.log(n - (own >= 0).to(y.dtype))
    silverman = (4 / (d + 2) / n) ** (1 / (d + 4))
    widths = (silverman * torch.tensor(bandwidths, dtype=y.dtype, device=y.device)[:, None])[..., None]  # (K, B, 1)
    log_base, d = log_normal(y, d), d[:, None]
    half_log_2_pi = d / 2 * math.log(2 * math.pi)
    products = (x[..., :, None] * x[..., None, :]).flatten(2) if local or clusters else None

    of_kernels, of_places, of_clusters, near = [], [], [], []  # each estimate: ln p, score, samples, h
    squares = _squares(y, x).masked_fill(itself, math.inf)
    nearest = squares.amin(-1)
    for index, h in enumerate(widths):
        kernel, mass, size = _weights(squares, nearest, h)
        mean = kernel @ x / mass[..., None]
        near.append(mean)
        log_p = mass.log() - nearest / (2 * h.square()) - log_others - d * h.log() - half_log_2_pi
        of_kernels.append((log_p, (mean - y) / h.square()[..., None], size, h))
        if index < local:
            half_log_det, distance, pull = _gaussian(y, kernel @ products / mass[..., None], mean, size, h, d)
            of_places.append((log_p + d * h.log() - half_log_det - distance / 2, pull, size, h))
    if fitted is None:
        middle = min(MIDDLE, len(widths) - 1)
        means, rest_on = torch.stack([mean[:, :n] for mean in near]), of_kernels[middle][2][:, :n]
        mixture = expectation_maximisation(x, d[:, 0], means[middle], rest_on / (rest_on + 4))
        fitted = Fitted(means.detach(), mixture)
    for index, h in enumerate(widths[:clusters]):
        squares = _squares(near[index], fitted.means[index]).masked_fill(itself, math.inf)
        nearest, tight = squares.amin(-1), TIGHT * h
        kernel, mass, size = _weights(squares, nearest, tight)
        mean = kernel @ x / mass[..., None]
        half_log_det, distance, pull = _gaussian(y, kernel @ products / mass[..., None], mean, size, h, d)
        log_share = mass.log() - nearest / (2 * tight.square()) - log_others
        of_clusters.append((log_share - half_log_det - distance / 2 - half_log_2_pi, pull, size, h))

    of_mixture = (*fitted.mixture.estimate(y, d[:, 0]), torch.full_like(h, 0.5))
    log_p, scores, samples, h = zip(*of_kernels, *of_places, *of_clusters, of_mixture, strict=True)
    f = (torch.stack(log_p, dim=-1) - log_base[..., None]) / d[..., None]
    f = torch.where(f < -FAR, -FAR * (1 + torch.log(f.clamp_max(-FAR) / -FAR)), f)
    if fitted.levels is None:
        fitted = fitted._replace(levels=f[:, :n].mean(1).detach())
    slopes = torch.stack(scores, dim=-1)
    steepness = slopes.square().sum(2, keepdim=True).clamp_min(1e-12).sqrt() / d.sqrt()[..., None, None]
    slopes = slopes * (STEEP / steepness).clamp_max(1)
    return Estimates(f, slopes, torch.cat(h, dim=-1), torch.stack(samples, dim=-1).clamp_min(1).log(), fitted)


def _gaussian(
    y: Tensor, second: Tensor, mean: Tensor, size: Tensor, h: Tensor, d: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """ln det C / 2 and u.C^-1 u (B, m), C^-1 u (B, m, D), of second moments (B, m, D * D) and mean (B, m, D)."""
    D = y.shape[-1]
    live = (torch.arange(D, device=y.device) < d).to(y.dtype)[:, None]  # (B, 1, D)
    C = second.unflatten(-1, (D, D)) - mean[..., :, None] * mean[..., None, :]
    prior = 2 + d / 8
    variance = C.diagonal(dim1=-2, dim2=-1).sum(-1) / d + (h * prior / size).square()
    ridge = (prior * variance)[..., None] * live + (size + prior)[..., None] * (1 - live)  # padding has a C of one
    C = (size[..., None, None] * C + torch.diag_embed(ridge)) / (size + prior)[..., None, None]
    root = torch.linalg.cholesky_ex(C).L
    z = torch.linalg.solve_triangular(root, (mean - y)[..., None], upper=False)
    pull = torch.linalg.solve_triangular(root.transpose(-1, -2), z, upper=True)[..., 0]
    return root.diagonal(dim1=-2, dim2=-1).log().sum(-1), z.square().sum((-1, -2)), pull


def _squares(y: Tensor, x: Tensor) -> Tensor:
    """|y_i - x_j|^2 of (B, m, D) and (B, n, D), (B, m, n)."""
    ends = y.square().sum(-1)[:, :, None] + x.square().sum(-1)[:, None]
    return torch.baddbmm(ends, y, x.transpose(1, 2), alpha=-2).clamp_min_(0)


def _weights(squares: Tensor, nearest: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Weights k (B, m, n), the nearest sample's being one, their sum (B, m) and their effective number (B, m)."""
    # in place, as fresh memory of this size costs more than the arithmetic
    kernel = (nearest[..., None] - squares).mul_((0.5 / h.square())[..., None]).exp_()
    mass = kernel.sum(-1)
    return kernel, mass, (mass / torch.linalg.vector_norm(kernel, dim=-1)).square()
