"""Gaussians on the centred subspace: N atoms whose positions have mean zero have d = 3(N - 1) degrees of freedom.

    log N(y; 0, v I) = -|y|^2 / 2v - (d/2) ln 2 pi v

Source: Hoogeboom et al., EDM, arXiv 2203.17003, section 3; Köhler et al., arXiv 2006.02425.
"""

import math

import torch
from torch import Tensor

__all__ = ["centre", "centred_noise", "degrees_of_freedom", "gaussian_log_density"]


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


def gaussian_log_density(y: Tensor, mask: Tensor, variance: Tensor) -> Tensor:
    """log N(y; 0, variance) in nats, (B,); `variance` (B,) in Å²."""
    d = degrees_of_freedom(mask)
    return -y.square().sum((1, 2)) / (2 * variance) - d / 2 * torch.log(2 * math.pi * variance)
