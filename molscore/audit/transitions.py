"""Steps between neighbouring noise levels low < high: one that adds noise, and one that the score takes back.

    F(y' | y) = N(y'; y, high^2 - low^2)                                      up, exact: p_high = integral of p_low F
    B(y | y') = N(y; D + r (y' - D), (high^2 - low^2) r + (1 - r)^2 tau^2)    down, r = low^2/high^2, D = y' + high^2 s

B is the posterior step of Ho et al. 2020 (arXiv 2006.11239, equation 7) where clean positions are D to within tau for
each degree of freedom; any tau > 0 leaves every estimate right, a good one makes it precise. A pair (y, y') takes the
work

    w(y, y') = ln[exp(-U_low(y)) F(y' | y) / exp(-U_high(y')) B(y | y')].
"""

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from molscore.audit.density import Density, Options, choose, groups, noise_of
from molscore.datasets.molecule_set import MoleculeSet
from molscore.diffusion.gaussian import centred_noise, degrees_of_freedom, gaussian_log_density
from molscore.screening.model import Model

__all__ = [
    "State", "Step", "Values", "deviations_of", "gaussian_state", "log_ratio_to_gaussian", "levels_of",
    "posterior_deviations", "state_at",
]  # fmt: skip

Values = NDArray[np.float64]

PILOT = 32  # molecules that tau is taken from


class State(NamedTuple):
    """Positions at one noise level and what the density says there, float64 but for y."""

    y: Tensor  # (B, N, 3) Å
    D: Tensor  # (B, N, 3) Å, denoised
    U: Tensor  # (B,) nats


class Step(NamedTuple):
    """Between two neighbouring levels, in Å."""

    low: float
    high: float
    tau: float  # deviation of clean positions from D at `high`, per degree of freedom

    def up(self, y: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
        """Draw from F."""
        return y + math.sqrt(self.high**2 - self.low**2) * centred_noise(mask, generator, y.dtype)

    def down(self, above: State, mask: Tensor, generator: torch.Generator) -> Tensor:
        """Draw from B."""
        mean, variance = self._posterior(above)
        return mean + math.sqrt(variance) * centred_noise(mask, generator, above.y.dtype)

    def work(self, below: State, above: State, mask: Tensor) -> Tensor:
        """w of each pair, (B,) nats."""

        def log_normal(step: Tensor, variance: float) -> Tensor:
            step = step.double()
            return gaussian_log_density(step, mask, step.new_full((len(step),), variance))

        mean, variance = self._posterior(above)
        up = log_normal(above.y - below.y, self.high**2 - self.low**2)
        return above.U - below.U + up - log_normal(below.y - mean, variance)

    def _posterior(self, above: State) -> tuple[Tensor, float]:
        r = (self.low / self.high) ** 2
        variance = (self.high**2 - self.low**2) * r + ((1 - r) * self.tau) ** 2
        return above.D + r * (above.y - above.D), variance


def levels_of(options: Options, spacing: float) -> Values:
    """Rising levels in Å, at most `spacing` e-folds apart, the ends and the resolution among them."""
    ends = sorted({options.sigma_min, options.resolution, options.sigma_max})
    parts = (np.geomspace(a, b, max(2, math.ceil(math.log(b / a) / spacing) + 1)) for a, b in pairwise(ends))
    return np.unique(np.concatenate(list(parts)))


def posterior_deviations(model: Model, molecules: MoleculeSet, levels: Values, seed: int) -> Values:
    """tau at each level, from a few of the molecules."""
    _, x, density = next(groups(model, choose(molecules, PILOT, seed)))
    return deviations_of(density, x, levels, seed)


def deviations_of(density: Density, x: Tensor, levels: Values, seed: int) -> Values:
    """How far denoised positions lie from clean ones x (B, N, 3), per degree of freedom, at each level, in Å."""
    d = float(degrees_of_freedom(density.mask).sum())
    rows, found = np.arange(len(x)), []
    for k, sigma in enumerate(levels.tolist()):
        D = state_at(density, x + sigma * noise_of(density.mask, rows, seed, k, 4).to(x), sigma).D
        found.append(math.sqrt(float((D - x).double().square().sum()) / d))
    return np.array(found)


@torch.no_grad()
def state_at(density: Density, y: Tensor, sigma: float) -> State:
    """One pass of both heads at y (B, N, 3) Å."""
    score, U = density.estimate(y, y.new_full((len(y),), sigma))
    return State(y, y + sigma**2 * score, U.double())


def gaussian_state(density: Density, sigma: float, generator: torch.Generator) -> State:
    """Positions of the Gaussian end: deviation (sigma^2 + sigma_N^2)^1/2."""
    deviation = (sigma**2 + density.prior.double().square()).sqrt()[:, None, None].to(density.prior)
    return state_at(density, deviation * centred_noise(density.mask, generator, density.prior.dtype), sigma)


def log_ratio_to_gaussian(density: Density, state: State, sigma: float) -> Tensor:
    """ln of exp(-U) over the Gaussian end's density, (B,) nats."""
    variance = sigma**2 + density.prior.double().square()
    return -state.U - gaussian_log_density(state.y.double(), density.mask, variance)
