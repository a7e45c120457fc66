"""Does U change with the noise as a log-density must? E[dU/dln sigma - (d - |z|^2)] = 0 at every noise level.

For y = x + sigma z the true U = -log p_sigma obeys dU/dln sigma = E[d - |z|^2 | y]. An error c(sigma) of U that is the
same for all molecules shows as dc/dln sigma: the mean over each bin of ln sigma, with its standard error (molecules are
independent, draws of one molecule are not), summed from the Gaussian end downward.

Beside it the residual of the Fokker-Planck equation of U, which training makes zero (`molscore.training.offset`):

    E[dU/dln sigma - sigma^2 (div grad U - |grad U|^2)]
        = E[dU/dln sigma - (d - |z|^2) + sigma grad U . (sigma grad U - z)]      (Stein's identity)

Its sum is log Z where the model's molecules are like the data; the two means differ where -grad U is too flat or too
steep.
Source: Guth, Kadkhodaie, Simoncelli 2025, arXiv 2506.05310, equation 8; Lai et al. 2023, arXiv 2210.04296.
"""

import itertools
import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from molscore.audit.density import Density, Options, choose, groups, noise_of, slopes
from molscore.audit.report import Cell, CheckResult, Part, Plot, Series, Table
from molscore.datasets.molecule_set import MoleculeSet
from molscore.diffusion.gaussian import degrees_of_freedom
from molscore.screening.model import Model

__all__ = ["errors_of", "time_score", "time_score_part"]

MOLECULES, BINS, DRAWS, STANDARD_ERRORS = 1000, 10, 2, 3.0
MATTERS = 1.0  # nats per e-fold: a bin that may be off by more has not passed


def time_score(model: Model, held_out: MoleculeSet, options: Options) -> Part:
    """The test on held-out molecules, 1,000 unless told otherwise."""
    molecules = choose(held_out, options.molecules or MOLECULES, options.seed)
    edges = np.linspace(math.log(options.sigma_min), math.log(options.sigma_max), BINS + 1)
    errors = np.zeros((2, len(molecules), BINS, DRAWS))
    for rows, x, density in groups(model, molecules):
        errors[:, rows] = errors_of(density, x, rows, edges, options.seed)
    return time_score_part(errors, edges)


def errors_of(
    density: Density, x: Tensor, rows: NDArray[np.integer], edges: NDArray[np.float64], seed: int
) -> NDArray[np.float64]:
    """dU/dln sigma - (d - |z|^2), and the same + sigma grad U . (sigma grad U - z), (2, B, bins, DRAWS).

    In nats per e-fold, of clean positions x (B, N, 3) Å, with ln sigma uniform in each bin of `edges`. `rows` (B,) name
    the molecules, so that each has noise of its own.
    """
    d = degrees_of_freedom(density.mask)
    found = np.zeros((2, len(rows), len(edges) - 1, DRAWS))
    for k, draw in itertools.product(range(len(edges) - 1), range(DRAWS)):
        where = np.array([np.random.default_rng([seed, k, draw, 1, int(row)]).random() for row in rows])
        sigma = torch.from_numpy(np.exp(edges[k] + (edges[k + 1] - edges[k]) * where)).to(x)
        z, width = noise_of(density.mask, rows, seed, k, draw, 2).to(x), sigma[:, None, None]
        _, grad_U, time_score = slopes(density, x + width * z, sigma)
        error = time_score - (d - z.square().sum((1, 2)))
        flow = (width * grad_U * (width * grad_U - z)).sum((1, 2))
        found[:, :, k, draw] = torch.stack([error, error + flow]).double().cpu().numpy()
    return found


def time_score_part(errors: NDArray[np.float64], edges: NDArray[np.float64]) -> Part:
    """Tables, plot and check of errors (2, molecules, bins, draws)."""
    (z, rows), (_, of_fokker_planck) = (_by_bin(each, edges) for each in errors)
    columns = ["σ Å", "mean nats per e-fold", "standard error", "z", "RMS", "sum from the Gaussian end, nats", "± nats"]
    tables = [Table("Time score", columns, rows), Table("Fokker–Planck residual of U", columns, of_fokker_planck)]
    # the fewer the molecules the smaller is |z|, so that passing also takes errors that hide little
    hidden = max(abs(mean) + STANDARD_ERRORS * error for _, mean, error, *_ in rows)
    check = CheckResult.at_most("time score: largest |z| of all noise bins", float(np.abs(z).max()), STANDARD_ERRORS)
    check = check.if_told(hidden <= MATTERS, f"up to {hidden:.2g} nats per e-fold would not be seen: too few molecules")
    middle = np.exp((edges[1:] + edges[:-1]) / 2).tolist()
    bars = [
        Series(f"{name}, mean ± 3 standard errors", middle, [r[1] for r in of], [3 * r[2] for r in of], line=False)
        for name, of in (("time score", rows), ("Fokker–Planck residual", of_fokker_planck))
    ]
    plot = Plot("time_score", "Time score", "σ (Å)", "error of ∂U/∂ln σ (nats per e-fold)", bars, True, (0.0,))
    _, molecules, _, draws = errors.shape
    note = (
        f"{molecules} held-out molecules, {draws} draws of σ and noise each in every bin. The sum is the error of "
        "log-density at the lower end of the bin: exact where U is off by a constant at each noise level. That of the "
        "Fokker–Planck residual is log Ẑ as far as the model's molecules are like the data; the two differ where −∇U "
        "is too flat or too steep."
    )
    title = "Time score: does U change with the noise as a log-density must?"
    return Part("time_score", title, tables, [check], note, [plot])


def _by_bin(errors: NDArray[np.float64], edges: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[list[Cell]]]:
    """z of each bin, and the rows of a table, of errors (molecules, bins, draws)."""
    each = errors.mean(2)
    mean, error = each.mean(0), each.std(0, ddof=1) / math.sqrt(len(each))
    rms, z = np.sqrt(np.square(errors).mean((0, 2))), mean / np.maximum(error, 1e-12)
    widths = np.diff(edges)
    # U is right at the Gaussian end; below, an offset c(sigma) has grown by -dc/dln sigma for each e-fold downward
    total = np.cumsum((mean * widths)[::-1])[::-1]
    total_error = np.sqrt(np.cumsum(np.square(error * widths)[::-1])[::-1])
    sigmas = np.exp(edges)
    return z, [
        [f"{sigmas[k]:.3g} to {sigmas[k + 1]:.3g}", *(float(v[k]) for v in (mean, error, z, rms, total, total_error))]
        for k in range(len(mean))
    ]
