"""Noise levels of a sampler.

    sigma_i = (sigma_max^(1/rho) + i/(n-1) (sigma_min^(1/rho) - sigma_max^(1/rho)))^rho

Source: Karras et al. 2022, arXiv 2206.00364, equation 5.
"""

import torch
from torch import Tensor

__all__ = ["karras_levels"]


def karras_levels(n: int, sigma_min: float, sigma_max: float, rho: float = 7.0) -> Tensor:
    """(n,) falling noise levels in Å, float64, from sigma_max to sigma_min; ValueError where there can be none."""
    if n < 1 or not 0 < sigma_min < sigma_max:
        raise ValueError(f"need n >= 1 and 0 < sigma_min < sigma_max, got {n}, {sigma_min}, {sigma_max}")
    ramp = torch.linspace(0, 1, n, dtype=torch.float64)
    high, low = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    return (high + ramp * (low - high)) ** rho
