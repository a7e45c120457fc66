"""A ladder of noise levels and the steps between them: the one that adds noise, and the one that a score takes back.

    F(y' | y) = N(y'; y, high^2 - low^2)                                    up, exact: p_high = integral of p_low F
    B(y | y') = N(y; D + r (y' - D), (high^2 - low^2) r + (1 - r)^2 tau^2)  down, r = low^2/high^2, D = y' + high^2 s

B is the posterior step of Ho et al. 2020 (arXiv 2006.11239, equation 7) where the clean positions are D to within tau
per degree of freedom; any tau > 0 leaves every estimate right, a good one makes it precise.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from molscore.audit.density import Density, noise_of
from molscore.diffusion.gaussian import centred_noise, degrees_of_freedom, gaussian_log_density

__all__ = ["Rung", "Step", "ladder", "read", "spreads"]


class Rung(NamedTuple):
    """Positions at one level and what the density says there, float64 but for y."""

    y: Tensor  # (B, N, 3) Å
    D: Tensor  # (B, N, 3) Å, denoised
    U: Tensor  # (B,) nats


class Step(NamedTuple):
    """Between two neighbouring levels, in Å."""

    low: float
    high: float
    spread: float  # tau at `high`

    def up(self, y: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
        """Draw from F."""
        return y + math.sqrt(self.high**2 - self.low**2) * centred_noise(mask, generator, y.dtype)

    def down(self, above: Rung, mask: Tensor, generator: torch.Generator) -> Tensor:
        """Draw from B."""
        mean, variance = self._posterior(above)
        return mean + math.sqrt(variance) * centred_noise(mask, generator, above.y.dtype)

    def log_work(self, below: Rung, above: Rung, mask: Tensor) -> Tensor:
        """ln[exp(-U_low(y)) F(y' | y) / exp(-U_high(y')) B(y | y')], (B,) nats."""
        mean, variance = self._posterior(above)
        up = _log_normal(above.y - below.y, mask, self.high**2 - self.low**2)
        return above.U - below.U + up - _log_normal(below.y - mean, mask, variance)

    def _posterior(self, above: Rung) -> tuple[Tensor, float]:
        r = (self.low / self.high) ** 2
        variance = (self.high**2 - self.low**2) * r + ((1 - r) * self.spread) ** 2
        return above.D + r * (above.y - above.D), variance


def ladder(sigma_min: float, sigma_max: float, spacing: float) -> NDArray[np.float64]:
    """Rising levels in Å, at most `spacing` e-folds apart."""
    n = max(2, math.ceil(math.log(sigma_max / sigma_min) / spacing) + 1)
    return np.geomspace(sigma_min, sigma_max, n)


@torch.no_grad()
def read(density: Density, y: Tensor, sigma: float) -> Rung:
    """One pass of both heads."""
    score, U = density.estimate(y, y.new_full((len(y),), sigma))
    return Rung(y, y + sigma**2 * score, U.double())


def spreads(density: Density, x: Tensor, levels: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """How far the denoised positions lie from clean ones x (B, N, 3), per degree of freedom, at each level, in Å."""
    d = float(degrees_of_freedom(density.mask).sum())
    rows, found = np.arange(len(x)), []
    for k, sigma in enumerate(levels.tolist()):
        D = read(density, x + sigma * noise_of(density.mask, rows, seed, k, 4).to(x), sigma).D
        found.append(math.sqrt(float((D - x).double().square().sum()) / d))
    return np.array(found)


def _log_normal(step: Tensor, mask: Tensor, variance: float) -> Tensor:
    step = step.double()
    return gaussian_log_density(step, mask, step.new_full((len(step),), variance))
