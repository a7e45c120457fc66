"""The noise level as the network reads it: overlapping bumps in ln sigma."""

import math

import torch
from torch import Tensor

__all__ = ["LN_SIGMA_RANGE", "NOISE_WAVES", "noise_waves"]

LN_SIGMA_RANGE = (math.log(0.002), math.log(60.0))
NOISE_WAVES = 32


def noise_waves(sigma: Tensor) -> Tensor:
    """exp(-((ln sigma - mu_k)/w)^2) of sigma (B,) Å, (B, NOISE_WAVES), with w one and a half times their spacing."""
    centres = torch.linspace(*LN_SIGMA_RANGE, NOISE_WAVES, dtype=sigma.dtype, device=sigma.device)
    spacing = centres[1] - centres[0]
    return torch.exp(-((torch.log(sigma)[:, None] - centres) / (1.5 * spacing)).square())
