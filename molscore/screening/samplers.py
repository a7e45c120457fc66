"""The samplers by name: what each makes of so many evaluations of the network.

An evaluation is a pass of the network. The gradient of U is a pass and a derivative backwards and counts as two of
them; by the clock it was 2.8 on one core.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from molscore.diffusion.levels import noise_levels
from molscore.diffusion.metropolis import DensityFn, annealed_metropolis
from molscore.diffusion.sampling import ScoreFn, annealed_langevin, probability_flow, stochastic_heun

__all__ = ["SAMPLERS", "Fields", "Sampler"]

SIGMA_MIN, SIGMA_MAX = 0.004, 12.0  # Å; the last level decides how precise positions are, the first drowns the data
# Å; the level of the Metropolis steps. Exact samples are all stable once denoised even from 0.05 Å; here 0.85 of the
# proposals were accepted at a step of 0.2 sigma^2 and 0.63 at 0.4.
SIGMA_METROPOLIS = 0.03


class Fields(NamedTuple):
    """What the network says of positions: one evaluation, and two."""

    score: ScoreFn
    density: DensityFn


class Sampler(NamedTuple):
    """A way to draw."""

    evaluations: Callable[[int], int]
    """Those it makes, of so many it may."""
    run: Callable[[Fields, Tensor, int, Tensor, torch.Generator, float], Tensor]
    """Fields, mask (B, N), evaluations, sigma_N (B,) Å, generator, temperature -> positions (B, N, 3) in Å."""


def _langevin(
    fields: Fields, mask: Tensor, steps: int, prior: Tensor, generator: torch.Generator, temperature: float
) -> Tensor:
    levels = noise_levels(steps, SIGMA_MIN, SIGMA_MAX)
    return annealed_langevin(fields.score, mask, levels, prior, generator, temperature=temperature)


def _heun(fields: Fields, mask: Tensor, steps: int, prior: Tensor, generator: torch.Generator, _: float) -> Tensor:
    return stochastic_heun(fields.score, mask, noise_levels((steps + 1) // 2, SIGMA_MIN, SIGMA_MAX), prior, generator)


def _ode(fields: Fields, mask: Tensor, steps: int, prior: Tensor, generator: torch.Generator, _: float) -> Tensor:
    return probability_flow(fields.score, mask, noise_levels((steps + 1) // 2, SIGMA_MIN, SIGMA_MAX), prior, generator)


def _mala(
    fields: Fields, mask: Tensor, steps: int, prior: Tensor, generator: torch.Generator, temperature: float
) -> Tensor:
    """A quarter of the evaluations go to the density: at least two pairs, one to start from and one to move to."""
    pairs = max(2, steps // 8)
    if steps < 2 * pairs + 1:
        return _langevin(fields, mask, steps, prior, generator, temperature)
    levels = noise_levels(steps - 2 * pairs, SIGMA_METROPOLIS, SIGMA_MAX)
    return annealed_metropolis(
        *fields, mask, levels, prior, generator, moves=pairs - 1, temperature=temperature
    ).positions


def _all(steps: int) -> int:
    return steps


def _odd(steps: int) -> int:
    """Heun's method takes two evaluations a level but the last."""
    return 2 * ((steps + 1) // 2) - 1


SAMPLERS = {
    "langevin": Sampler(_all, _langevin),
    "heun": Sampler(_odd, _heun),
    "ode": Sampler(_odd, _ode),
    "mala": Sampler(_all, _mala),
}
