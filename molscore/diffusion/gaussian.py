"""Gaussians on the centred subspace, and their average over rotations.

N atoms whose positions have mean zero have d = 3(N - 1) degrees of freedom:

    log N(y; 0, v I) = -|y|^2 / 2v - (d/2) ln 2 pi v

The average of exp(tr(R^T F)) over rotations R normalises the matrix Fisher distribution; its slope is their mean:

    c(F) = int exp(tr(R^T F)) dR  over SO(3) with total mass 1,      E[R] = d ln c/dF = U diag(d ln c/ds) V^T

F = U diag(s) V^T with proper U and V, so that s_1 >= s_2 >= |s_3| and s_3 has the sign of det F. In one dimension

    e^{-(s_1 + s_2 + s_3)} c = int_0^2 e^{-(s_2 + s_3) t} I_0e((s_1 - s_2) t/2) I_0e((s_1 + s_2)(2 - t)/2) dt/2

with I_0e(a) = e^{-|a|} I_0(a). What the integrand does at scales of 1/s it does at the two ends, so t = 2/(1 + e^{-z})
and equal steps in z take all scales alike: ln c is right to 1e-9 for singular values up to 10^6.
Source: Hoogeboom et al., EDM, arXiv 2203.17003, section 3; Köhler et al., arXiv 2006.02425; of rotations, Lee 2018,
arXiv 1710.03746, equations 12 and 15.
"""

import math

import numpy as np
import torch
from torch import Tensor

__all__ = [
    "centre", "centred_noise", "degrees_of_freedom", "gaussian_log_density", "generator_of", "log_rotation_average",
]  # fmt: skip


def degrees_of_freedom(mask: Tensor) -> Tensor:
    """mask (B, N) bool -> d = 3(N - 1), (B,) int."""
    return 3 * (mask.sum(1) - 1)


def centre(x: Tensor, mask: Tensor) -> Tensor:
    """Project (B, N, 3) on the subspace: mean zero over real atoms, zero at padding."""
    atoms = mask[..., None].to(x.dtype)
    mean = (x * atoms).sum(1, keepdim=True) / atoms.sum(1, keepdim=True)
    return (x - mean) * atoms


def centred_noise(mask: Tensor, generator: torch.Generator | None = None, dtype: torch.dtype = torch.float32) -> Tensor:
    """Standard normal noise on the subspace, (B, N, 3)."""
    noise = torch.randn(*mask.shape, 3, generator=generator, dtype=dtype, device=mask.device)
    return centre(noise, mask)


def generator_of(device: torch.device | str, *seed: int) -> torch.Generator:
    """Random numbers that are a function of some whole numbers alone."""
    state = np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(state >> np.uint64(1)))


def gaussian_log_density(y: Tensor, mask: Tensor, variance: Tensor) -> Tensor:
    """log N(y; 0, variance) in nats, (B,); `variance` (B,) in Å²."""
    d = degrees_of_freedom(mask)
    return -y.square().sum((1, 2)) / (2 * variance) - d / 2 * torch.log(2 * math.pi * variance)


STEP, REACH = 0.4, 40.0


def log_rotation_average(F: Tensor) -> tuple[Tensor, Tensor]:
    """F (..., 3, 3) float64 -> ln c(F) (...) and the mean rotation E[R] (..., 3, 3)."""
    U, s, V = _proper_svd(F)
    s_1, s_2, s_3 = (s[..., i, None] for i in range(3))
    z = torch.arange(-REACH, REACH + STEP / 2, STEP, dtype=F.dtype, device=F.device)
    t, rest = 2 * torch.sigmoid(z), 2 * torch.sigmoid(-z)  # rest = 2 - t, without cancellation
    a, b = (s_1 - s_2) * t / 2, (s_1 + s_2) * rest / 2
    I_a, I_b = torch.special.i0e(a), torch.special.i0e(b)
    p = torch.exp(-(s_2 + s_3) * t) * I_a * I_b * (STEP / 4 * t * rest)
    total = p.sum(-1)
    p = p / total[..., None]

    left = (p * t * torch.special.i1e(a) / I_a).sum(-1) / 2
    right = (p * rest * torch.special.i1e(b) / I_b).sum(-1) / 2
    slopes = torch.stack([right + left, right - left, 1 - (p * t).sum(-1)], dim=-1)
    return s.sum(-1) + torch.log(total), (U * slopes[..., None, :]) @ V.transpose(-1, -2)


def _proper_svd(F: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """F = U diag(s) V^T with det U = det V = 1; the last singular value may be negative."""
    U, s, Vh = torch.linalg.svd(F)
    flip_U, flip_V = torch.linalg.det(U).sign(), torch.linalg.det(Vh).sign()
    ones = torch.ones_like(flip_U)

    def last(flip: Tensor) -> Tensor:
        return torch.stack([ones, ones, flip], dim=-1)

    return U * last(flip_U)[..., None, :], s * last(flip_U * flip_V), Vh.transpose(-1, -2) * last(flip_V)[..., None, :]
