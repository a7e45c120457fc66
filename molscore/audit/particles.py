"""The normaliser of one composition, by particles that the model's own score leads down the ladder.

Particles start from the Gaussian end, y_K ~ G, and step down by B (`molscore.audit.ladder`). Each step's weight

    exp(-U_k(y)) F(y' | y) / exp(-U_{k+1}(y')) B(y | y')

pairs B with the reverse kernel F, so that the product of the mean weights is unbiased for Z_k = integral of exp(-U_k)
whatever the score is; only its spread depends on that. Particles are resampled where few carry the weight; where they
never are, it is annealed importance sampling.
Nothing is known of places where the score leads no particle: mass there is missing, and the estimate too low.
Source: Neal 2001, arXiv physics/9803008; Del Moral, Doucet, Jasra 2006, doi:10.1111/j.1467-9868.2006.00553.x.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from molscore.audit.density import Density
from molscore.audit.ladder import Step, read
from molscore.diffusion.gaussian import centred_noise, gaussian_log_density

__all__ = ["Descent", "descend"]

RESAMPLE_BELOW = 0.5  # of the particles


class Descent(NamedTuple):
    """Estimates at each of K rising levels, (K,)."""

    log_Z: NDArray[np.float64]  # nats
    effective: NDArray[np.float64]  # effective number of particles before any resampling at the level
    ancestors: NDArray[np.float64]  # particles of the Gaussian end that have descendants


@torch.no_grad()
def descend(
    density: Density, levels: NDArray[np.float64], spreads: NDArray[np.float64], generator: torch.Generator
) -> Descent:
    """One run; the molecules of the density's mask are its particles, all of one composition."""
    mask, sigmas, n = density.mask, levels.tolist(), len(density.mask)
    variance = sigmas[-1] ** 2 + density.prior.double().square()
    y = variance.sqrt()[:, None, None].to(density.prior) * centred_noise(mask, generator, density.prior.dtype)
    above = read(density, y, sigmas[-1])
    weight = -above.U - gaussian_log_density(y.double(), mask, variance)
    ancestor, total = torch.arange(n), 0.0
    found = [(total + _log_mean(weight), effective(weight), n)]
    for low, high, spread in zip(sigmas[-2::-1], sigmas[:0:-1], spreads[:0:-1].tolist(), strict=True):
        if effective(weight) < RESAMPLE_BELOW * n:
            total += _log_mean(weight)
            keep = _systematic(weight, generator)
            above, ancestor, weight = type(above)(*(t[keep] for t in above)), ancestor[keep], torch.zeros_like(weight)
        step = Step(low, high, spread)
        below = read(density, step.down(above, mask, generator), low)
        weight = weight + step.log_work(below, above, mask)
        found.append((total + _log_mean(weight), effective(weight), len(ancestor.unique())))
        above = below
    return Descent(*np.array(found[::-1], dtype=np.float64).T)


def effective(weight: Tensor) -> float:
    """Effective number of particles of log-weights (n,): (sum w)^2 / sum w^2."""
    return math.exp(float(2 * weight.logsumexp(0) - (2 * weight).logsumexp(0)))


def _log_mean(weight: Tensor) -> float:
    return float(weight.logsumexp(0)) - math.log(len(weight))


def _systematic(weight: Tensor, generator: torch.Generator) -> Tensor:
    """Indices (n,), each particle as often as its share of the weight to within one."""
    n = len(weight)
    u = torch.rand(1, generator=generator, dtype=torch.float64, device=generator.device).cpu()
    points = (torch.arange(n) + u) / n
    return torch.searchsorted(weight.softmax(0).cumsum(0).cpu(), points).clamp(max=n - 1).to(weight.device)
