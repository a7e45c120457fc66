"""Do the two heads agree? R^2 of the score against -grad U, and of each against the noise, at several noise levels.

    agreement    1 - sum |s + grad U|^2 / sum |grad U|^2
    denoising    1 - sum |sigma s + z|^2 / sum |z|^2        and the same with -grad U for s

At high noise both heads are -y/(sigma^2 + sigma_N^2) by construction: what they learned beside it is compared too.
The denoising figure of a perfect score stays below 1 by the share of the noise that y does not tell.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from molscore.audit.density import Density, Options, choose, groups, noise_of, slopes
from molscore.audit.report import CheckResult, Part, Plot, Series, Table
from molscore.datasets.molecule_set import MoleculeSet
from molscore.screening.model import Model

__all__ = ["heads", "heads_part", "squares_of"]

MOLECULES = 1000
# Å, after the lowest that the model was trained on; close to each other where molecules take shape
SIGMAS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 3.0, 10.0)
HIGH, AT_HIGH, AT_LOWEST = 0.1, 0.99, 0.9  # bounds: at HIGH Å and above, and at the lowest


def heads(model: Model, held_out: MoleculeSet, options: Options) -> Part:
    """The comparison on held-out molecules, 1,000 unless told otherwise."""
    molecules = choose(held_out, options.molecules or MOLECULES, options.seed)
    sigmas = [options.sigma_min, *(sigma for sigma in SIGMAS if options.sigma_min < sigma <= options.sigma_max)]
    squares = sum(squares_of(density, x, rows, sigmas, options.seed) for rows, x, density in groups(model, molecules))
    return heads_part(squares, sigmas, len(molecules))


def squares_of(
    density: Density, x: Tensor, rows: NDArray[np.integer], sigmas: list[float], seed: int
) -> NDArray[np.float64]:
    """Sums over molecules of the squares of s + grad U, grad U, grad U - y/(sigma^2 + sigma_N^2), sigma s + z,
    sigma grad U - z and z, (levels, 6)."""
    found = np.zeros((len(sigmas), 6))
    for k, level in enumerate(sigmas):
        sigma = torch.full((len(x),), level, dtype=x.dtype, device=x.device)
        z = noise_of(density.mask, rows, seed, k, 3).to(x)
        y = x + level * z
        s, grad_U, _ = slopes(density, y, sigma)
        gaussian = y / (level**2 + density.prior.square())[:, None, None]
        terms = (s + grad_U, grad_U, grad_U - gaussian, level * s + z, level * grad_U - z, z)
        found[k] = [float(term.double().square().sum()) for term in terms]
    return found


def heads_part(squares: NDArray[np.float64], sigmas: list[float], n: int) -> Part:
    """Table, plot and checks of sums (levels, 6)."""
    between, grad_U, learned, by_score, by_density, noise = squares.T
    agreement, beside = 1 - between / grad_U, 1 - between / np.maximum(learned, 1e-300)
    score, density = 1 - by_score / noise, 1 - by_density / noise
    rows = [[f"{s:g}", *map(float, row)] for s, *row in zip(sigmas, agreement, beside, score, density, strict=True)]
    columns = ["σ Å", "R² score, −∇U", "R² beside the Gaussian", "denoising R² of the score", "denoising R² of −∇U"]
    high = [(float(r), f"at {sigma:g} Å") for r, sigma in zip(agreement, sigmas, strict=True) if sigma >= HIGH]
    lowest, where = min(high, default=(None, ""))
    checks = [
        CheckResult.at_least(f"heads: lowest R² between score and −∇U at σ ≥ {HIGH:g} Å", lowest, AT_HIGH, where),
        CheckResult.at_least(f"heads: R² between score and −∇U at σ = {sigmas[0]:g} Å", float(agreement[0]), AT_LOWEST),
    ]
    names = ("score against −∇U", "score against the noise", "−∇U against the noise")
    pairs = zip(names, (agreement, score, density), strict=True)
    curves = [Series(name, sigmas, values.tolist()) for name, values in pairs]
    plot = Plot("heads", "Score head and slope of the density head", "σ (Å)", "R²", curves, True, (AT_LOWEST, AT_HIGH))
    note = (
        f"{n} held-out molecules, one draw of noise each at every level. Against the noise even a true score stays "
        "below 1 where the noise has moved a molecule along its own modes."
    )
    title = "Heads: is the score the slope of the log-density?"
    return Part("heads", title, [Table("", columns, rows)], checks, note, [plot])
