"""Where one pass and the referee part, which of them do the data bear out?

Two estimates a and b of one quantity, and a noisy sample t of it whose mean given y is the truth:

    quantity                     a, of one pass          b, of the score                   t, for y = x + sigma z
    dU/dln sigma at fixed y      by automatic            -sigma^2 (div s + |s|^2)          d - |z|^2
                                 differentiation         (Fokker and Planck)
    sigma^2 s . grad log p       -sigma^2 s . grad U     sigma^2 |s|^2                     -sigma s . z

    share = cov(t - b, a - b) / var(a - b)

is 1 where only b errs, 0 where only a errs, and var(error of b) / (var(error of a) + var(error of b)) where the errors
have nothing to do with each other. t and a - b vary over molecules; their noise cancels, as it does not know a - b.

Source of t: Vincent 2011, Neural Computation 23, 1661; Guth, Kadkhodaie, Simoncelli 2025, arXiv 2506.05310, equation 8.
"""

import math
import sys

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from molscore.audit.density import Density, groups, noise_of, slopes
from molscore.audit.options import Options, chosen
from molscore.audit.record import Part, Plot, Series, Table
from molscore.datasets.store import MoleculeSet
from molscore.diffusion.gaussian import degrees_of_freedom
from molscore.diffusion.likelihood import divergence
from molscore.screening.model import Model

__all__ = ["arbitrated", "arbitration", "arbitration_part"]

SIGMAS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)  # Å: where molecules take shape
BATCH, MOST = 4, 200  # molecules whose traces are taken together, and at all
QUANTITIES = ("∂U/∂ln σ", "σ² s·∇log p")


def arbitration(model: Model, held_out: MoleculeSet, options: Options) -> Part:
    """The comparison on `options.referee` held-out molecules, from two to `MOST`, with exact traces."""
    molecules = chosen(held_out, min(max(2, options.referee), MOST), options.seed)
    sigmas = [sigma for sigma in SIGMAS if options.sigma_min <= sigma <= options.sigma_max]
    found = np.zeros((len(molecules), len(sigmas), len(QUANTITIES), 3))
    with tqdm(total=len(molecules), desc="arbitration", unit="molecule", file=sys.stderr) as bar:
        for group in groups(model, molecules, BATCH):
            found[group.rows] = arbitrated(group.density, group.x, group.rows, sigmas, options.seed)
            bar.update(len(group.rows))
    return arbitration_part(found, sigmas)


def arbitrated(
    density: Density, x: Tensor, rows: NDArray[np.integer], sigmas: list[float], seed: int
) -> NDArray[np.float64]:
    """a, b and t of both quantities for clean positions x (B, N, 3) Å: (B, levels, 2, 3) nats for each e-fold."""
    d, found = degrees_of_freedom(density.mask), np.zeros((len(rows), len(sigmas), len(QUANTITIES), 3))
    for k, level in enumerate(sigmas):
        sigma = torch.full((len(x),), level, dtype=x.dtype, device=x.device)
        z = noise_of(density.mask, rows, seed, k, 7).to(x)
        y = x + level * z
        s, descent, time_score = slopes(density, y, sigma)
        with torch.no_grad():
            trace = divergence(density.score, y, sigma, density.mask)[1]
        s, descent = level * s, level * descent
        square = _dot(s, s)
        by_time = (time_score, -(level**2 * trace + square), d - _dot(z, z))
        by_slope = (_dot(s, descent), square, -_dot(s, z))
        values = torch.stack([torch.stack(by_time, 1), torch.stack(by_slope, 1)], 1)
        found[:, k] = values.double().cpu().numpy()
    return found


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((1, 2))


def _share(a: NDArray[np.float64], b: NDArray[np.float64], t: NDArray[np.float64]) -> tuple[float, float]:
    """cov(t - b, a - b) / var(a - b) and its standard error, molecules independent."""
    u, v = a - b - np.mean(a - b), t - b - np.mean(t - b)
    square = float(np.mean(u * u))
    if not square:
        return math.nan, math.nan
    share = float(np.mean(u * v)) / square
    return share, float(np.std(u * v - share * u * u)) / square / math.sqrt(len(u))


def arbitration_part(found: NDArray[np.float64], sigmas: list[float]) -> Part:
    """Tables and plot of values (molecules, levels, 2, 3)."""
    n, tables, curves = len(found), [], []
    for q, name in enumerate(QUANTITIES):
        rows, shares = [], []
        for k, level in enumerate(sigmas):
            a, b, t = found[:, k, q].T
            share, error = _share(a, b, t)
            rows.append([
                f"{level:g}", float(np.mean(a - b)), float(np.std(a - b)), float(np.mean(t - a)), float(np.mean(t - b)),
                float(np.std(t - b)) / math.sqrt(n), share, error,
            ])  # fmt: skip
            shares.append((share, error))
        columns = [
            "σ Å", "one pass − score, mean", "deviation", "data − one pass, mean", "data − score, mean",
            "± about", "share of one pass", "±",
        ]  # fmt: skip
        tables.append(Table(f"{name}, nats per e-fold of σ", columns, rows))
        curves.append(Series(name, sigmas, [s for s, _ in shares], [e for _, e in shares]))
    note = (
        f"{n} held-out molecules, one draw of noise each at every level, exact traces. Share: of what sets one pass "
        "and the score apart from molecule to molecule, 1 where the data agree with one pass, 0 where they agree with "
        "the score (and so, in the upper table, with the referee)."
    )
    title = "Arbitration: where one pass and the score part, which of them do the data bear out?"
    plot = Plot("arbitration", "Arbitration by the data", "σ (Å)", "share of one pass", curves, True, (0.0, 1.0))
    return Part("arbitration", title, tables, [], note, [plot])
