"""Gaussian mixtures of many sets at once by expectation maximisation, chosen by BIC.

    r_ik = w_k N(x_i; m_k, C_k) / sum_l w_l N(x_i; m_l, C_l),     N_k = sum_i r_ik,     w_k = N_k/n
    m_k = sum_i r_ik x_i / N_k,     C_k = (sum_i r_ik (x_i - m_k)(x_i - m_k)^T + a V) / (N_k + a)

with a = 2 + d/8 samples' weight of V, isotropic, of the variance within components. No random start, unlike
scikit-learn's: it begins where samples gather and far apart, so that the fit turns with the data. Covariances are free,
or share their axes, C_k = A D_k A^T with D_k diagonal and any invertible A (Flury, doi 10.1080/01621459.1984.10477108,
without its orthogonality, so that an affine map of the data maps the fit): 2d in place of d(d + 3)/2 numbers to learn
of each component. A maximises the likelihood of given C_k (Pham, doi 10.1137/S089547980035689X): it minimises

    sum_k w_k ( ln det diag(B C_k B^T) - ln det B C_k B^T ),     B = A^-1
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["GaussianMixtures", "common_axes", "expectation_maximisation"]

COMPONENTS = (1, 2, 3, 4, 6, 8, 11, 16)  # of which BIC chooses; no more than a quarter of the samples
ALIGNED = 20  # with common axes, pruned to the number that BIC chooses
STEPS = 15
SWEEPS = 4  # of Newton steps over all pairs of axes
PRIOR = 10.0  # samples' weight of the pooled variance along a common axis


class GaussianMixtures(NamedTuple):
    """B mixtures of K components in D dimensions, d of them real."""

    log_weights: Tensor  # (B, K), -inf for a component that is not there
    means: Tensor  # (B, K, D)
    roots: Tensor  # (B, K, D, D) R with R C R^T = 1, and one on the diagonal of padding
    log_dets: Tensor  # (B, K) ln |det R|
    samples: Tensor  # (B, K) N_k

    def log_parts(self, y: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        """ln w_k N(y; m_k, C_k) (B, K, m) of y (B, m, D), and z = R_k (y - m_k) (B, K, D, m)."""
        B, K, D, _ = self.roots.shape
        z = (self.roots.reshape(B, K * D, D) @ y.transpose(1, 2)).view(B, K, D, -1)
        z = z - self.roots @ self.means[..., None]
        constant = self.log_weights + self.log_dets - (d / 2 * math.log(2 * math.pi))[:, None]
        return constant[..., None] - z.square().sum(-2) / 2, z

    def estimate(self, y: Tensor, d: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """ln p (B, m), its gradient (B, m, D) and the samples that they rest on (B, m), at y (B, m, D)."""
        log_parts, z = self.log_parts(y, d)
        r = log_parts.softmax(1)
        pull = self.roots.transpose(-1, -2) @ (r[:, :, None] * z)
        return log_parts.logsumexp(1), -pull.sum(1).transpose(1, 2), (r * self.samples[..., None]).sum(1)

    def padded(self, K: int) -> "GaussianMixtures":
        """The same with components that are not there, up to K."""
        missing = K - self.means.shape[1]
        one = torch.eye(self.means.shape[2], dtype=self.means.dtype, device=self.means.device)
        return GaussianMixtures(
            F.pad(self.log_weights, (0, missing), value=-math.inf),
            F.pad(self.means, (0, 0, 0, missing)),
            torch.cat([self.roots, one.expand(len(self.means), missing, -1, -1)], dim=1),
            F.pad(self.log_dets, (0, missing)),
            F.pad(self.samples, (0, missing)),
        )


class Aligned(NamedTuple):
    """B mixtures of K components whose covariances are diagonal in z = B x."""

    log_weights: Tensor  # (B, K)
    means: Tensor  # (B, K, D) in z
    variances: Tensor  # (B, K, D)
    samples: Tensor  # (B, K) N_k

    def log_parts(self, z: Tensor) -> Tensor:
        """ln w_k N(z; m_k, D_k) (B, K, n) of z (B, n, D), without d ln(2 pi)/2."""
        P, m, z = 1 / self.variances, self.means, z.transpose(1, 2)
        constant = self.log_weights - ((P * m.square()).sum(-1) - P.log().sum(-1)) / 2
        return constant[..., None] + (P * m) @ z - P @ z.square() / 2

    def turned(self, B: Tensor) -> GaussianMixtures:
        """The same in x."""
        means = torch.linalg.solve(B[:, None], self.means[..., None])[..., 0]
        roots = self.variances.rsqrt()[..., None] * B[:, None]
        log_dets = torch.linalg.slogdet(B).logabsdet[:, None] - self.variances.log().sum(-1) / 2
        return GaussianMixtures(self.log_weights, means, roots, log_dets, self.samples)


@torch.no_grad()
def expectation_maximisation(x: Tensor, d: Tensor, gathered: Tensor, weight: Tensor) -> GaussianMixtures:
    """The mixtures of samples x (B, n, D) in d (B,) dimensions.

    Args:
        gathered: (B, n, D) the samples, each moved to where those near it gather: components begin there.
        weight: (B, n) of a sample in the choice of where.
    """
    n, most = x.shape[1], ALIGNED
    live = torch.arange(x.shape[2], device=x.device) < d[:, None]
    products = (x[..., :, None] * x[..., None, :]).flatten(2)
    centres = _far_apart(gathered, weight, min(most, max(1, n // 4)))
    best, lowest = None, torch.full_like(d, math.inf)
    for K in (K for K in COMPONENTS if centres.shape[1] >= K):
        mixtures = _free(x, products, _assigned(gathered, centres[:, :K]), d, live)
        for _ in range(STEPS if K > 1 else 0):
            mixtures = _free(x, products, mixtures.log_parts(x, d)[0].softmax(1), d, live)
        bic = (K - 1 + K * (d + d * (d + 1) / 2)) * math.log(n) - 2 * mixtures.log_parts(x, d)[0].logsumexp(1).sum(-1)
        best, lowest = _better(bic < lowest, mixtures.padded(most), best), torch.minimum(bic, lowest)
    for _ in range(2):  # the axes of the best with free covariances, then of the best with common ones
        N, _, C = _moments(x, products, best.log_parts(x, d)[0].softmax(1), d, live)
        B = common_axes(N, C, live)
        z, log_volume = x @ B.transpose(1, 2), torch.linalg.slogdet(B).logabsdet
        r = _assigned(gathered, centres)
        for K in range(r.shape[1], 0, -1):
            for _ in range(STEPS):
                aligned = _aligned(z, r, live)
                log_parts = aligned.log_parts(z)
                r = log_parts.softmax(1)
            log_p = log_parts.logsumexp(1) + (log_volume - d / 2 * math.log(2 * math.pi))[:, None]
            bic = (K - 1 + 2 * K * d + d * (d - 1)) * math.log(n) - 2 * log_p.sum(-1)
            best, lowest = _better(bic < lowest, aligned.turned(B).padded(most), best), torch.minimum(bic, lowest)
            r = _without_least(log_parts, r) if K > 1 else r
    return best


def _without_least(log_parts: Tensor, r: Tensor) -> Tensor:
    """Responsibilities (B, K - 1, n) when the component is gone that the log-likelihood misses least.

    Without k the density at x_i is (1 - r_ik)/(1 - w_k) of what it was (Figueiredo and Jain, doi 10.1109/34.990138,
    begin with too many components likewise).
    """
    B, K, n = r.shape
    missed = -torch.log1p(-r.clamp_max(1 - 1e-6)).sum(-1) + n * torch.log1p(-r.mean(-1).clamp_max(1 - 1e-6))
    kept = torch.arange(K, device=r.device).expand(B, K)
    kept = kept[kept != missed.argmin(-1, keepdim=True)].view(B, K - 1, 1).expand(-1, -1, n)
    return log_parts.gather(1, kept).softmax(1)


def _moments(x: Tensor, products: Tensor, r: Tensor, d: Tensor, live: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """N, means and covariances of samples x (B, n, D), with products x x^T, that belong by r (B, K, n)."""
    N = r.sum(-1).clamp_min(1e-6)
    means = r @ x / N[..., None]
    scatter = (r @ products).view(*means.shape, -1)
    scatter = scatter - N[..., None, None] * means[..., :, None] * means[..., None, :]
    a = (2 + d / 8)[:, None]
    v = (scatter.diagonal(dim1=-2, dim2=-1).sum((-1, -2)) / (x.shape[1] * d)).clamp_min(1e-4)
    V = torch.diag_embed(v[:, None] * live)[:, None]
    C = (scatter + a[..., None, None] * V) / (N + a)[..., None, None]
    return N, means, C + torch.diag_embed((~live).to(x.dtype))[:, None]


def _free(x: Tensor, products: Tensor, r: Tensor, d: Tensor, live: Tensor) -> GaussianMixtures:
    """The M step with free covariances."""
    N, means, C = _moments(x, products, r, d, live)
    root, one = torch.linalg.cholesky_ex(C).L, torch.eye(x.shape[2], dtype=x.dtype, device=x.device)
    roots = torch.linalg.solve_triangular(root, one, upper=False)
    return GaussianMixtures((N / x.shape[1]).log(), means, roots, roots.diagonal(dim1=-2, dim2=-1).log().sum(-1), N)


def _aligned(z: Tensor, r: Tensor, live: Tensor) -> Aligned:
    """The M step with common axes, of samples z (B, n, D) along them."""
    N = r.sum(-1, keepdim=True).clamp_min(1e-6)
    means = r @ z / N
    scatter = (r @ z.square() - N * means.square()).clamp_min(0)
    v = (scatter.sum(1, keepdim=True) / z.shape[1]).clamp_min(1e-4)
    variances = torch.where(live[:, None], (scatter + PRIOR * v) / (N + PRIOR), 1.0)
    return Aligned((N[..., 0] / z.shape[1]).log(), means, variances, N[..., 0])


def common_axes(N: Tensor, C: Tensor, live: Tensor) -> Tensor:
    """B (sets, D, D) that makes all B C_k B^T as diagonal as can be, of C (sets, K, D, D) by weights N (sets, K).

    Its last rows are padding: the coordinates that are not `live` (sets, D).
    """
    w, C = (N / N.sum(1, keepdim=True)).double(), C.double()
    # Begin where it turns with the data: at the axes of the mean of all relative to one that weighs them unlike.
    whiten = torch.linalg.inv(torch.linalg.cholesky((w[..., None, None] * C).sum(1)))
    unlike = w * torch.linspace(1, 2, w.shape[1], dtype=w.dtype, device=w.device)
    mean = whiten @ (unlike[..., None, None] * C).sum(1) @ whiten.transpose(-1, -2)
    last = torch.diag_embed(1e3 * (~live).to(C.dtype))  # eigenvalues are in order
    turn = torch.linalg.eigh(mean + last).eigenvectors
    B = turn.transpose(-1, -2) @ whiten
    C = B[:, None] @ C @ B.transpose(-1, -2)[:, None]
    pairs = [[i, j] for i in range(C.shape[-1]) for j in range(i)]
    for i, j in pairs * SWEEPS:
        # a Newton step on row i by row j and on row j by row i
        c_i, c_j, c_ij = C[..., i, i], C[..., j, j], C[..., i, j]
        g_i, g_j = (w * c_ij / c_i).sum(1), (w * c_ij / c_j).sum(1)
        o_i, o_j = (w * c_j / c_i).sum(1), (w * c_i / c_j).sum(1)
        det = (o_i * o_j - 1).clamp_min(1e-9)
        h_i, h_j = 2 * (o_j * g_i - g_j) / det, 2 * (o_i * g_j - g_i) / det
        scale = 1 + (1 - h_i * h_j).clamp_min(0).sqrt()
        one = torch.ones_like(scale)
        T = torch.stack([one, -h_i / scale, -h_j / scale, one], dim=-1).view(-1, 2, 2)
        C[..., [i, j], :] = T[:, None] @ C[..., [i, j], :]
        C[..., [i, j]] = C[..., [i, j]] @ T.transpose(-1, -2)[:, None]
        B[:, [i, j]] = T @ B[:, [i, j]]
    return B.to(N.dtype)


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


def _better(better: Tensor, new: GaussianMixtures, old: GaussianMixtures | None) -> GaussianMixtures:
    """Of each set, `new` where it is better (B,)."""
    if old is None:
        return new
    chosen = (torch.where(better.view(-1, *[1] * (a.ndim - 1)), a, b) for a, b in zip(new, old, strict=True))
    return GaussianMixtures(*chosen)
