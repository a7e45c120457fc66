"""Noise levels of a sampler, crowded where molecules take shape.

    ln sigma_i = ln m + w sinh(t_i),      t_1 ... t_n equally spaced from sigma_max down to sigma_min

An evaluation is worth most where the noise is about half a bond's length: there the flow decides which atoms are
bonded, while above and below it hardly bends (docs/trials.md has both grids measured). Karras et al. 2022
(arXiv 2206.00364, equation 5) crowd levels at sigma_min instead, as images need.
"""

import math

import torch
from torch import Tensor

__all__ = ["noise_levels"]

MIDDLE = 0.4  # m in Å
WIDTH = 0.7  # w in ln sigma


def noise_levels(n: int, sigma_min: float, sigma_max: float, middle: float = MIDDLE, width: float = WIDTH) -> Tensor:
    """(n,) falling noise levels in Å, float64, from sigma_max to sigma_min; ValueError where there can be none."""
    if n < 1 or not 0 < sigma_min < sigma_max or not (middle > 0 and width > 0):
        raise ValueError(
            f"need n >= 1, 0 < sigma_min < sigma_max, middle and width above 0, "
            f"got {n}, {sigma_min}, {sigma_max}, {middle}, {width}"
        )
    first, last = (math.asinh(math.log(sigma / middle) / width) for sigma in (sigma_max, sigma_min))
    t = torch.linspace(first, last, n, dtype=torch.float64)
    return middle * torch.exp(width * torch.sinh(t))
