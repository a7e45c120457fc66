"""Does U change with the noise as a log-density must? E[dU/dln sigma - (d - |z|^2)] = 0 at every noise level.

For y = x + sigma z the log-density obeys dU/dln sigma = E[d - |z|^2 | y]. What is wrong by a constant c(sigma) in U
shows as dc/dln sigma, whatever the molecules: the mean over each bin of ln sigma, its standard error (molecules
independent, draws of one molecule not), and their sum from the Gaussian end downward.
Source: Guth, Kadkhodaie, Simoncelli 2025, arXiv 2506.05310, equation 8.
"""

import itertools
import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from molscore.audit.density import Density, groups, noise_of, slopes
from molscore.audit.options import Options, chosen
from molscore.audit.record import Part, Plot, Series, Table, Verdict
from molscore.datasets.store import MoleculeSet
from molscore.diffusion.gaussian import degrees_of_freedom
from molscore.screening.model import Model

__all__ = ["residuals", "residuals_of", "time_score", "time_score_part"]

BINS, DRAWS, STANDARD_ERRORS = 10, 2, 3.0


def time_score(model: Model, held_out: MoleculeSet, options: Options) -> Part:
    """The test on `options.n` held-out molecules."""
    molecules = chosen(held_out, options.n, options.seed)
    edges = np.linspace(math.log(options.sigma_min), math.log(options.sigma_max), BINS + 1)
    return time_score_part(residuals(model, molecules, edges, options.seed), edges)


def residuals(model: Model, molecules: MoleculeSet, edges: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """dU/dln sigma - (d - |z|^2) in nats, (molecules, bins, DRAWS), ln sigma uniform in each bin."""
    found = np.zeros((len(molecules), len(edges) - 1, DRAWS))
    for group in groups(model, molecules):
        found[group.rows] = residuals_of(group.density, group.x, group.rows, edges, seed)
    return found


def residuals_of(
    density: Density, x: Tensor, rows: NDArray[np.integer], edges: NDArray[np.float64], seed: int
) -> NDArray[np.float64]:
    """The same for clean positions x (B, N, 3) Å; `rows` (B,) name the molecules, so that each has noise of its own."""
    d = degrees_of_freedom(density.mask)
    found = np.zeros((len(rows), len(edges) - 1, DRAWS))
    for k, draw in itertools.product(range(len(edges) - 1), range(DRAWS)):
        where = np.array([np.random.default_rng([seed, k, draw, 1, int(row)]).random() for row in rows])
        sigma = torch.from_numpy(np.exp(edges[k] + (edges[k + 1] - edges[k]) * where)).to(x)
        z = noise_of(density.mask, rows, seed, k, draw, 2).to(x)
        time_score = slopes(density, x + sigma[:, None, None] * z, sigma).time_score
        found[:, k, draw] = (time_score - (d - z.square().sum((1, 2)))).double().cpu().numpy()
    return found


def time_score_part(residual: NDArray[np.float64], edges: NDArray[np.float64]) -> Part:
    """Table, plot and verdict of residuals (molecules, bins, draws)."""
    each = residual.mean(2)
    mean, error = each.mean(0), each.std(0, ddof=1) / math.sqrt(len(each))
    rms, z = np.sqrt(np.square(residual).mean((0, 2))), mean / np.maximum(error, 1e-12)
    widths = np.diff(edges)
    # U is right at the Gaussian end; below, an offset c(sigma) has grown by -dc/dln sigma for each e-fold downward
    total = np.cumsum((mean * widths)[::-1])[::-1]
    total_error = np.sqrt(np.cumsum(np.square(error * widths)[::-1])[::-1])
    sigmas = np.exp(edges)
    rows = [
        [f"{sigmas[k]:.3g} to {sigmas[k + 1]:.3g}", *(float(v[k]) for v in (mean, error, z, rms, total, total_error))]
        for k in range(len(mean))
    ]
    columns = ["σ Å", "mean nats per e-fold", "standard error", "z", "RMS", "sum from the Gaussian end, nats", "± nats"]
    verdict = Verdict.at_most("time score: largest |z| of all noise bins", float(np.abs(z).max()), STANDARD_ERRORS)
    middle = np.exp((edges[1:] + edges[:-1]) / 2).tolist()
    bars = Series("mean ± 3 standard errors", middle, mean.tolist(), (3 * error).tolist(), line=False)
    plot = Plot("time_score", "Time score", "σ (Å)", "E[∂U/∂ln σ − (d − |z|²)], nats per e-fold", [bars], True, (0.0,))
    note = (
        f"{len(each)} held-out molecules, {residual.shape[2]} draws of σ and noise each in every bin. The sum is the "
        "error of log-density at the lower end of the bin that the means add up to: exact where U is off by a constant."
    )
    title = "Time score: does U change with the noise as a log-density must?"
    return Part("time_score", title, [Table("", columns, rows)], [verdict], note, [plot])
