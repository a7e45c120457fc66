"""Is log-density right on average over data, at every noise level? Bennett's acceptance ratio over data.

Between neighbouring noise levels low < high one step adds noise, and another takes it back by the score:

    F(y' | y) = N(y'; y, high^2 - low^2)                                      up, exact: p_high = integral of p_low F
    B(y | y') = N(y; D + r (y' - D), (high^2 - low^2) r + (1 - r)^2 tau^2)    down, r = low^2/high^2, D = y' + high^2 s

B is the posterior step of Ho et al. 2020 (arXiv 2006.11239, equation 7) where clean positions are D to within tau for
each degree of freedom; any tau > 0 leaves the estimate right, a good one makes it precise. A pair (y, y') takes the
work

    w(y, y') = ln[exp(-U_low(y)) F(y' | y) / exp(-U_high(y')) B(y | y')].

Write the model at level k as exp(-U_k) = Z_k q_k with q_k normalised. Pairs of neighbouring levels have the density
q_low F going up, q_high B going down, and C that solves

    mean over pairs going up of 1/(1 + e^{w - C}) = mean over pairs going down of 1/(1 + e^{C - w})

is ln Z_low/Z_high where the pairs are the model's. Here they are the data's: data with noise added are samples of the
truth p_k at every k, and one path y_0 -> y_1 -> ... of a molecule gives its pairs. The sum of C from the Gaussian end,
whose normaliser is known, is then ln Z_k if the model's shape is right, and to first order in its error

    sum of C = E_{p_k}[-U_k - ln p_k] = ln Z_k - KL(p_k || q_k),

the mean error of log-density over data (a lower bound of ln Z_k, as no divergence is negative), since the terms of
neighbouring pairs cancel. Estimates that compare U_k and U_{k+1} at the same y miss an error of the shape that is the
same at all levels. The overlap of a step, 1 where up and down are one distribution, 0 where they are apart, says how
far to trust C.
Source: Bennett 1976, doi:10.1016/0021-9991(76)90078-4; Shirts et al. 2003, arXiv cond-mat/0309385.
"""

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit
from torch import Tensor

from molscore.audit.density import Density, Options, choose, groups, noise_of
from molscore.audit.report import CheckResult, Part, Plot, Series, Table
from molscore.datasets.molecule_set import MoleculeSet
from molscore.diffusion.gaussian import centred_noise, degrees_of_freedom, gaussian_log_density
from molscore.screening.model import Model

__all__ = ["Offsets", "State", "Step", "bennett", "deviations_of", "levels_of", "normalisation", "offsets", "works_of"]

Values = NDArray[np.float64]

BOUND = 0.5  # nats
MOLECULES, SPACING = 250, 0.2  # e-folds between levels
ERROR, OVERLAP = 0.25, 0.05  # nats, share: beyond these an estimate says nothing
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


class Offsets(NamedTuple):
    """Estimates at each of K levels, (K,)."""

    offset: Values  # nats: ln Z - KL, the mean error of log-density
    error: Values  # standard error
    overlap: Values  # of the step above the level


def normalisation(model: Model, held_out: MoleculeSet, options: Options) -> Part:
    """The estimate over held-out molecules of all sizes, 250 unless told otherwise: each takes a hundred passes."""
    generator = torch.Generator(model.network.sigma_N.device).manual_seed(options.seed)
    molecules = choose(held_out, options.molecules or MOLECULES, options.seed + 1)
    levels = levels_of(options, SPACING)
    tau = posterior_deviations(model, molecules, levels, options.seed)
    works = [works_of(density, x, levels, tau, generator) for _, x, density in groups(model, molecules)]
    found = offsets(*(np.concatenate(parts, axis=1) for parts in zip(*works, strict=True)))
    k = int(np.abs(levels - options.resolution).argmin())
    shown = np.unique([*range(0, len(levels), 5), k, len(levels) - 1])
    rows = [[f"{levels[k]:.3g}", *(float(values[k]) for values in found)] for k in shown]
    table = Table("", ["σ Å", "log Ẑ − KL, nats", "standard error", "overlap with the next level"], rows)
    curve = Series("± 2 standard errors", levels.tolist(), found.offset.tolist(), (2 * found.error).tolist())
    plot = Plot("normalisation", "Normalisation", "σ (Å)", "log Ẑ − KL (nats)", [curve], True, (-BOUND, BOUND))
    note = (
        f"{len(molecules)} held-out molecules, Bennett's estimate between neighbouring levels from {levels[-1]:g} Å "
        "down: log Ẑ less the Kullback–Leibler divergence from truth to model, the mean error of log-density over data."
    )
    title = "Normalisation: is log-density right on average over data, at every noise level?"
    checks = [_check_offsets(levels, found, sigma) for sigma in (options.resolution, levels[0])]
    return Part("normalisation", title, [table], checks, note, [plot])


@torch.no_grad()
def works_of(
    density: Density, x: Tensor, levels: Values, tau: Values, generator: torch.Generator
) -> tuple[Values, Values]:
    """The work of each pair going up and down, nats, (K, M) each; the last of the K steps leads to the Gaussian end.

    One path up for each molecule of x (B, N, 3) Å, and at each level a step down beside it; `levels` rise.
    """
    mask, sigmas = density.mask, levels.tolist()
    below = state_at(density, x + sigmas[0] * centred_noise(mask, generator, x.dtype), sigmas[0])
    ups, downs = [], []
    for low, high, deviation in zip(sigmas[:-1], sigmas[1:], tau[1:].tolist(), strict=True):
        step = Step(low, high, deviation)
        above = state_at(density, step.up(below.y, mask, generator), high)
        beside = state_at(density, step.down(above, mask, generator), low)
        ups.append(step.work(below, above, mask))
        downs.append(step.work(beside, above, mask))
        below = above
    ups.append(log_ratio_to_gaussian(density, below, sigmas[-1]))
    downs.append(log_ratio_to_gaussian(density, gaussian_state(density, sigmas[-1], generator), sigmas[-1]))
    return torch.stack(ups).cpu().numpy(), torch.stack(downs).cpu().numpy()


def offsets(ups: Values, downs: Values) -> Offsets:
    """The sums from the Gaussian end down to each level, with standard errors over molecules; works (K, M)."""
    C, influence, overlap = zip(*map(bennett, ups, downs), strict=True)
    from_the_end = lambda values: np.stack(values)[::-1].cumsum(0)[::-1]  # noqa: E731
    error = from_the_end(influence).std(1, ddof=1) / np.sqrt(ups.shape[1])
    return Offsets(from_the_end(C), error, np.array(overlap))


def bennett(up: Values, down: Values) -> tuple[float, Values, float]:
    """C, what each molecule adds to its error (M,) to first order, and the overlap."""
    ends = min(up.min(), down.min()) - 1.0, max(up.max(), down.max()) + 1.0
    C = float(brentq(lambda C: expit(C - up).mean() - expit(down - C).mean(), *ends, xtol=1e-12))
    a, b = expit(C - up), expit(down - C)
    slope = (a * (1 - a)).mean() + (b * (1 - b)).mean()
    return C, (b - a) / max(slope, 1e-300), float(a.mean() + b.mean())


def _check_offsets(levels: Values, found: Offsets, sigma: float) -> CheckResult:
    k = int(np.abs(levels - sigma).argmin())
    what = f"normalisation: largest |log Ẑ − KL| from data at σ ≥ {sigma:.3g} Å, nats"
    worst = int(np.abs(found.offset[k:]).argmax()) + k
    value, error, overlap = abs(float(found.offset[worst])), float(found.error[worst]), float(found.overlap[k:].min())
    # Where it misses the bound by far, a large error does not keep it from saying so.
    if overlap < OVERLAP or (error > ERROR and abs(value - BOUND) < 2 * error):
        why = f"standard error {error:.2g} nats, least overlap of levels {overlap:.2g}: not enough to tell"
        return CheckResult(what, value, f"<= {BOUND:g}", None, why)
    return CheckResult.at_most(what, value, BOUND, f"standard error {error:.2g} nats, at {levels[worst]:.3g} Å")
