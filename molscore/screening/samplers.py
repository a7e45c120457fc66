"""How positions are drawn: the settings of a sampler, its noise levels, and the run over one batch.

A run may branch: where the noise is down to a quarter of an Å it is decided what is bonded, and the density tells which
draws will not become molecules (AUROC 0.79 there, 0.79 at the end: the codimension of the denoised guess). The worst
share is sent back to 1 Å of noise and done again, instead of being finished and turned down.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from molscore.diffusion.sampling import ScoreFn, dpm_solver, noise_levels
from molscore.errors import InputError
from molscore.screening.criteria import BONDS
from molscore.screening.field import Field
from molscore.screening.fragment import fixed_atoms
from molscore.screening.guidance import autoguidance, denoised, metropolis, temporal_rescaling

__all__ = ["DENSITY", "SAMPLERS", "SIGMA_MAX", "SIGMA_MIN", "Plan", "Sampling", "Steering", "sample"]

SIGMA_MIN, SIGMA_MAX = 0.004, 12.0  # Å; the last level decides how precise positions are, the first drowns the data
JUDGED = 3  # evaluations by which a branch is judged
FEW = 25  # evaluations below which all go to levels: nothing is corrected, nothing redone
SAMPLERS = {"sde": 1.0, "ode": 0.0}  # eta of `dpm_solver`


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Settings of a sampler. Raises `InputError` naming the one that cannot be."""

    steps: int = 50
    """Evaluations of the network a molecule, at most."""
    sampler: str = "sde"
    """sde, or ode: the probability flow, where the first noise decides everything."""
    temperature: float = 1.0
    """Of the noise that sde adds; below 1 molecules are stabler and no longer like the data: caged, ringed, rigid."""
    guidance: float = 1.0
    """Weight of `autoguidance`; 0 follows the model's own score."""
    guided: tuple[float, float] = (0.1, 1.0)
    """Å: where it works."""
    corrected: tuple[float, float] | None = (0.25, 0.8)
    """Å: where each level gets a Langevin step, for molecules take shape there; none where None, and none in ode."""
    step_size: float = 0.4
    """Of that step, a share of sigma^2."""
    redone: float = 0.3
    """Share of a batch that is sent back once, the worst by codimension."""
    branch: tuple[float, float] = (0.25, 1.0)
    """Å: where that is decided, and where they are sent back to."""
    sharpening: float = 1.0
    """k of `temporal_rescaling`; 1 leaves the score as it is."""
    sharpened: float = 0.2
    """Å: s of `temporal_rescaling`, the width of the modes that it sharpens."""

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise InputError(f"steps must be at least 1, not {self.steps}")
        if self.sampler not in SAMPLERS:
            raise InputError(f"sampler {self.sampler!r} is none of {', '.join(SAMPLERS)}")
        if not 0 <= self.temperature <= 1:
            raise InputError(f"temperature lies between 0 and 1, not at {self.temperature}")
        if not 0 <= self.guidance <= 10:
            raise InputError(f"guidance lies between 0 and 10, not at {self.guidance}")
        if not 0 <= self.redone < 1:
            raise InputError(f"the share that is redone lies from 0 to below 1, not at {self.redone}")


DENSITY = Sampling(guidance=0.0, redone=0.0)
"""Draws from the density that the model reports, as nearly as the steps allow."""


class Plan(NamedTuple):
    """Noise levels in Å of a run, falling, and what they cost."""

    levels: Tensor
    """(n + 1,), zero at the end."""
    branch: slice
    """Those of a branch, from where it begins again to where it is judged; empty where there are too few levels."""
    evaluations: float
    """Of the network, a molecule, without those of `Steering`."""

    @classmethod
    def of(cls, sampling: Sampling) -> "Plan":
        """With as many levels as the evaluations allow."""
        for n in range(sampling.steps, 0, -1):
            levels = noise_levels(n, SIGMA_MIN, SIGMA_MAX)
            levels = torch.cat([levels, levels.new_zeros(1)])
            down, up = (int((levels > sigma).sum()) for sigma in sampling.branch)
            branch = slice(up, down + 1) if sampling.steps >= FEW and 0 < up < down < n else slice(0, 0)
            cost = _cost(sampling, levels)
            if sampling.redone and branch.stop:
                cost += JUDGED + sampling.redone * _cost(sampling, levels[branch])
            if cost <= sampling.steps:
                break
        return cls(levels, branch, cost)


def _cost(sampling: Sampling, levels: Tensor) -> float:
    """Evaluations of a run down some levels."""
    if (within := _corrected(sampling)) is None:
        return len(levels) - 1
    return len(levels) - 1 + int(((levels[1:-1] >= within[0]) & (levels[1:-1] <= within[1])).sum())


def _corrected(sampling: Sampling) -> tuple[float, float] | None:
    return None if sampling.sampler == "ode" or sampling.steps < FEW else sampling.corrected


class Steering(NamedTuple):
    """What molecules are wanted, beyond those of the distribution. See `fragment` and `guides`."""

    fixed: Tensor | None = None
    """(k, 3) Å: where the first k atoms lie, towards each other."""
    log_weight: Callable[[Tensor], Tensor] | None = None
    """Positions (B, N, 3) Å -> (B,): draws are from p times its exponential."""
    moves: int = 0
    """By which such draws are found, each at the evaluations of a branch and one to judge it."""


def sample(
    field: Field, sampling: Sampling, generator: torch.Generator, steering: Steering | None = None
) -> Tensor:
    """Positions (B, N, 3) in Å of the molecules of a field."""
    steering, (levels, branch, _) = steering or Steering(), Plan.of(sampling)

    def solve(field: Field, y: Tensor, levels: Tensor) -> Tensor:
        score_fn = score_of_field(field, sampling)
        return dpm_solver(
            score_fn if steering.fixed is None else fixed_atoms(score_fn, steering.fixed),
            y,
            levels,
            field.noise(generator),
            eta=SAMPLERS[sampling.sampler],
            temperature=sampling.temperature,
            correct=_corrected(sampling),
            step_size=sampling.step_size,
        )

    def again(field: Field, y: Tensor) -> Tensor:
        """Back to more noise, and down to where y is."""
        more = float(levels[branch][0].square() - levels[branch][-1].square()) ** 0.5
        return solve(field, y + more * field.noise(generator)(y), levels[branch])

    y = field.start(float(levels[0]), generator)
    n_redone, guided = math.floor(sampling.redone * len(y) + 0.5), steering.log_weight is not None
    if not branch.stop or not (sampling.redone or guided):
        return solve(field, y, levels)
    y, judged_at = solve(field, y, levels[: branch.stop]), float(levels[branch.stop - 1])
    if sampling.redone:
        worst = _codimension(field, _guess(field, y, judged_at)).argsort()[:n_redone]
        if n_redone:
            y = y.index_copy(0, worst, again(field.subset(worst), y[worst]))
    if guided:
        log_weight = lambda y: steering.log_weight(_guess(field, y, judged_at))  # noqa: E731
        y = metropolis(y, log_weight, lambda y: again(field, y), steering.moves, generator)
    return solve(field, y, levels[branch.stop - 1 :])


def _guess(field: Field, y: Tensor, sigma: float) -> Tensor:
    """The denoised positions (B, N, 3) in Å."""
    level = y.new_full((len(y),), sigma)
    return denoised(y, level, field.scores(y, level)[0])


def _codimension(field: Field, x: Tensor) -> Tensor:
    """Of positions (B, N, 3) in Å, up to a constant factor, (B,)."""
    fine, coarse = (field.log_density(x, x.new_full((len(x),), sigma)) for sigma in BONDS)
    return (fine - coarse) / (3 * field.mask.sum(1) - 6).clamp(min=1)


def score_of_field(field: Field, sampling: Sampling) -> ScoreFn:
    """The score that the settings follow."""
    score_fn = autoguidance(field.scores, sampling.guidance, sampling.guided)
    if sampling.sharpening != 1:
        score_fn = temporal_rescaling(score_fn, sampling.sharpening, sampling.sharpened)
    return score_fn
