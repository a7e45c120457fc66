"""What a data set looks like as a distribution: its sizes, its formulas and how far its atoms spread."""

from collections.abc import Sequence

import numpy as np

from molscore.datasets.molecule_set import MoleculeSet
from molscore.errors import ElementError, InputError, PositionError
from molscore.molecules.batch import element_index
from molscore.molecules.distribution import Distribution
from molscore.molecules.elements import SYMBOLS

__all__ = ["distribution_of", "formula_counts", "smoothed_sigma"]

# A size with fewer molecules than this leans on the sizes around it.
_PRIOR_MOLECULES = 3.0
# σ² ∝ N^(2/3) for atoms filling a ball, N² along a rod: a fit outside what matter does is noise.
_BALL_EXPONENT, _ROD_EXPONENT = 2 / 3, 2.0


def distribution_of(name: str, molecules: MoleculeSet) -> Distribution:
    """Count the formulas of `molecules` and measure their spread; raises `InputError` for an empty set.

    Elements are those present, by atomic number (H, C, N, O, F for QM9).
    """
    if not len(molecules):
        raise InputError(f"distribution {name!r}: there are no molecules to take statistics of")
    elements = [SYMBOLS[number] for number in np.unique(molecules.numbers)]
    counts = formula_counts(molecules, elements)
    formulas, n = np.unique(counts, axis=0, return_counts=True)
    return Distribution(
        name=name,
        elements=tuple(elements),
        formula_counts={tuple(formula): k for formula, k in zip(formulas.tolist(), n.tolist(), strict=True)},
        sigma_N=smoothed_sigma(molecules),
    )


def formula_counts(molecules: MoleculeSet, elements: Sequence[str]) -> np.ndarray:
    """Atoms of each of `elements` in each molecule, ``(M, len(elements))`` int64."""
    index = element_index(elements)[molecules.numbers]
    row = molecules.atom_rows
    if (index < 0).any():
        atom = int((index < 0).argmax())
        symbol = SYMBOLS[molecules.numbers[atom]]
        raise ElementError(f"{molecules.label(row[atom])}: element {symbol} is not one of {', '.join(elements)}")
    flat = np.bincount(row * len(elements) + index, minlength=len(molecules) * len(elements))
    return flat.reshape(len(molecules), len(elements))


def smoothed_sigma(molecules: MoleculeSet) -> dict[int, float]:
    """σ_N in Å for every N from 2 to the largest size: σ_N² = E[‖x‖² | N] / 3(N−1), x centred.

    A power law σ² = a·N^b is fitted to all sizes and moved, at each size, by how far the sizes beside it stray from
    it. That prior weighs as much as 3 molecules of the size itself.
    Raises `PositionError` where the atoms of every molecule lie at one point.
    """
    largest = int(molecules.sizes.max(initial=0))
    if largest < 2:
        return {}
    positions, starts, sizes = molecules.positions.astype(np.float64), molecules.offsets[:-1], molecules.sizes
    means = np.add.reduceat(positions, starts, axis=0) / sizes[:, None]
    squares = np.add.reduceat((positions**2).sum(axis=1), starts) - sizes * (means**2).sum(axis=1)
    n = np.bincount(sizes, minlength=largest + 1).astype(np.float64)
    size = np.arange(largest + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        measured = np.bincount(sizes, weights=squares, minlength=largest + 1) / (3 * (size - 1) * n)
    seen = (size >= 2) & (n > 0) & (measured > 1e-8)
    if not seen.any():
        raise PositionError("the atoms of every molecule lie at one point: there is no spread to measure")
    count, measured = np.where(seen, n, 0.0)[2:], np.where(seen, measured, 1.0)[2:]
    law = _power_law(size[seen], measured[seen[2:]], n[seen], size[2:])
    near = np.exp(-0.5 * (size[2:, None] - size[2:]) ** 2) * (1 - np.eye(largest - 1)) * count
    stray = (near * np.log(measured / law)).sum(axis=1) / (near.sum(axis=1) + _PRIOR_MOLECULES)
    variance = (count * measured + _PRIOR_MOLECULES * law * np.exp(stray)) / (count + _PRIOR_MOLECULES)
    return {int(k): float(np.sqrt(v)) for k, v in zip(size[2:], variance, strict=True)}


def _power_law(size: np.ndarray, variance: np.ndarray, weight: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Weighted least squares for ln σ² on ln N, evaluated at sizes `where`; the exponent leans on a ball's."""
    x, y = np.log(size), np.log(variance)
    x_mean, y_mean = np.average(x, weights=weight), np.average(y, weights=weight)
    covariance = (weight * (x - x_mean) * (y - y_mean)).sum()
    exponent = (covariance + _BALL_EXPONENT) / ((weight * (x - x_mean) ** 2).sum() + 1.0)
    exponent = np.clip(exponent, 0.0, _ROD_EXPONENT)
    return np.exp(y_mean + exponent * (np.log(where) - x_mean))
