"""Is log-density right on average over data, at every noise level? Bennett's acceptance ratio over data.

Write the model at level k as exp(-U_k) = Z_k q_k with q_k normalised. Pairs of neighbouring levels (`transitions`) have
the density q_low F going up, q_high B going down, and C that solves

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

from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import brentq
from scipy.special import expit
from torch import Tensor

from molscore.audit.density import Density, Options, choose, groups
from molscore.audit.report import CheckResult, Part, Plot, Series, Table
from molscore.audit.transitions import (
    Step,
    Values,
    gaussian_state,
    levels_of,
    log_ratio_to_gaussian,
    posterior_deviations,
    state_at,
)
from molscore.datasets.molecule_set import MoleculeSet
from molscore.diffusion.gaussian import centred_noise
from molscore.screening.model import Model

__all__ = ["Offsets", "bennett", "normalisation", "offsets", "works_of"]

BOUND = 0.5  # nats
MOLECULES, SPACING = 250, 0.2  # e-folds between levels
ERROR, OVERLAP = 0.25, 0.05  # nats, share: beyond these an estimate says nothing


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
