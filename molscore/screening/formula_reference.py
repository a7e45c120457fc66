"""Percentiles among reference molecules of the same formula, where enough of them were held out.

Within a formula a log-likelihood and a log-density rise together, so the tables are of log-densities. What n molecules
of a formula say is pulled towards the percentile within the size, as if `PRIOR` more molecules had that distribution
(the posterior mean under a Dirichlet process); without a table for a formula the percentile within the size is all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from molscore.errors import CheckpointError
from molscore.screening.reference import GIVEN, place, stored

__all__ = ["LEAST_OF_FORMULA", "FormulaReference"]

LEVELS = np.linspace(0.0, 100.0, 101)
LEAST_OF_FORMULA = 20  # molecules of a formula that make a table
PRIOR = 20.0
_PARTS = ("resolutions", "formulas", "n", "quantiles")


@dataclass(frozen=True, eq=False)
class FormulaReference:
    """Quantiles of the log-density of the reference molecules of the more common formulas."""

    resolutions: NDArray[np.float64]
    """(R,) Å."""
    formulas: NDArray[np.int64]
    """(F, E) atoms of each element, in the order of the distribution's table."""
    n: NDArray[np.int64]
    """(F,) reference molecules of each formula."""
    quantiles: NDArray[np.float64]
    """(R, F, 101) nats, at percentiles 0, 1 ... 100."""

    @classmethod
    def of(
        cls,
        log_density: NDArray[np.float64],
        counts: NDArray[np.integer],
        resolutions: Sequence[float],
        least: int = LEAST_OF_FORMULA,
    ) -> "FormulaReference":
        """Tables from log-densities (R, M) of molecules with element counts (M, E)."""
        fine = np.isfinite(log_density).all(0)
        formulas, inverse, n = np.unique(counts[fine], axis=0, return_inverse=True, return_counts=True)
        kept = np.flatnonzero(n >= least)
        members = [log_density[:, fine][:, inverse.ravel() == row] for row in kept]
        quantiles = [np.quantile(values, LEVELS / 100, axis=1).T for values in members]
        shape = (len(resolutions), 0, len(LEVELS))
        stacked = np.stack(quantiles, axis=1) if quantiles else np.zeros(shape)
        return cls(np.array(resolutions, dtype=np.float64), formulas[kept], n[kept], stacked)

    def percentile(
        self,
        log_density: NDArray[np.float64],
        counts: NDArray[np.integer],
        within_size: NDArray[np.float64],
        resolution: float,
    ) -> NDArray[np.float64]:
        """0 to 100, (M,), for element counts (M, E) and the percentiles within the size, (M,), that it is pulled to."""
        table = self.quantiles[self.index_of(resolution)]
        rows = {tuple(formula): row for row, formula in enumerate(self.formulas.tolist())}
        found = np.array(within_size, dtype=np.float64)
        for molecule, formula in enumerate(np.asarray(counts).tolist()):
            if (row := rows.get(tuple(formula))) is not None:
                own = np.interp(log_density[molecule], table[row], LEVELS)
                n = self.n[row]
                found[molecule] = (n * own + PRIOR * found[molecule]) / (n + PRIOR)
        return found

    def index_of(self, resolution: float) -> int:
        """Place of a resolution among those stored; raises `InputError` that lists them."""
        return place(self.resolutions, resolution)

    def to_extras(self, distribution: str, geometry: str = GIVEN) -> dict[str, Tensor]:
        """Tensors to keep in a checkpoint."""
        values = (self.resolutions, self.formulas, self.n, self.quantiles.astype(np.float32))
        return dict(zip(_names(distribution, geometry), map(torch.tensor, values), strict=True))

    @classmethod
    def from_extras(
        cls, extras: Mapping[str, Tensor], distribution: str, geometry: str = GIVEN
    ) -> "FormulaReference | None":
        """Inverse of `to_extras`; None where there is no such table, CheckpointError where it does not fit."""
        names = _names(distribution, geometry)
        if (found := stored(extras, names, "percentiles by formula")) is None:
            return None
        resolutions, formulas, n, quantiles = found
        fits = formulas.ndim == 2 and n.shape == formulas.shape[:1]
        if not fits or quantiles.shape != (len(resolutions), len(n), len(LEVELS)) or not np.isfinite(quantiles).all():
            raise CheckpointError(f"the checkpoint's percentiles by formula have the wrong shape {quantiles.shape}")
        return cls(resolutions, formulas.astype(np.int64), n.astype(np.int64), quantiles)


def _names(distribution: str, geometry: str) -> list[str]:
    return [f"reference.{distribution}.{geometry}.formula.{part}" for part in _PARTS]
