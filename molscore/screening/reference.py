"""Percentiles: where a number stands among reference molecules of like size.

For every size N and stored resolution, quantiles of the log-likelihood of held-out molecules and, in a second such
table, of the difference between two resolutions. A size with few molecules borrows from its neighbours, whose values
are moved along the line that best fits the number against N there.

Like is compared with like: geometries made here (ETKDGv3 and MMFF94s) are not quite those of quantum chemistry, and at
high resolution hundredths of an Å cost nats. So they have a reference of their own, of geometries made the same way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from molscore.errors import CheckpointError, InputError

__all__ = ["DIFFERENCE", "ETKDG", "GIVEN", "LEVELS", "LOG_LIKELIHOOD", "Reference", "place", "quantile_table", "stored"]

LOG_LIKELIHOOD, DIFFERENCE = "", "difference"  # what quantiles are of
GIVEN, ETKDG = "given", "etkdg"  # where a geometry comes from
LEVELS = np.linspace(0.0, 100.0, 201)
LEAST_MOLECULES = 200
NEAR_ATOMS = 2.0  # sizes this far count about as much as the nearest one in how log-likelihood changes with size


@dataclass(frozen=True, eq=False)
class Reference:
    """Quantiles of a number of the reference molecules of one distribution, mostly the log-likelihood."""

    resolutions: NDArray[np.float64]
    """(R,) Å."""
    sizes: NDArray[np.int64]
    """(S,) numbers of atoms, consecutive."""
    quantiles: NDArray[np.float64]
    """(R, S, 201) at percentiles 0, 0.5 ... 100; nats for a log-likelihood."""

    def percentile(self, values: ArrayLike, n_atoms: ArrayLike, resolution: float) -> NDArray[np.float64]:
        """0 to 100 for each molecule, (M,); raises `InputError` that lists the stored resolutions for another one."""
        table = self.quantiles[self.index_of(resolution)]
        rows = np.clip(np.asarray(n_atoms) - self.sizes[0], 0, len(self.sizes) - 1)
        pairs = zip(np.asarray(values, dtype=np.float64), rows, strict=True)
        return np.array([_standing(float(value), table[row]) for value, row in pairs])

    def index_of(self, resolution: float) -> int:
        """Place of a resolution among those stored."""
        return place(self.resolutions, resolution)

    def to_extras(self, distribution: str, geometry: str = GIVEN, quantity: str = LOG_LIKELIHOOD) -> dict[str, Tensor]:
        """Tensors to keep in a checkpoint."""
        values = (self.resolutions, self.sizes, self.quantiles.astype(np.float32))
        return dict(zip(_names(distribution, geometry, quantity), map(torch.tensor, values), strict=True))

    @classmethod
    def from_extras(
        cls,
        extras: Mapping[str, Tensor],
        distribution: str,
        geometry: str = GIVEN,
        quantity: str = LOG_LIKELIHOOD,
    ) -> "Reference | None":
        """Inverse of `to_extras`; None where there is no such table, CheckpointError where it does not fit."""
        names = _names(distribution, geometry, quantity)
        if (found := stored(extras, names, "reference percentiles")) is None:
            return None
        resolutions, sizes, quantiles = found
        if quantiles.shape != (len(resolutions), len(sizes), len(LEVELS)) or not np.isfinite(quantiles).all():
            raise CheckpointError(f"the checkpoint's reference percentiles have the wrong shape {quantiles.shape}")
        return cls(resolutions, sizes.astype(np.int64), quantiles)


def stored(extras: Mapping[str, Tensor], names: Sequence[str], what: str) -> list[NDArray[np.float64]] | None:
    """Tensors of a checkpoint as arrays; None where there is none of them, CheckpointError where some are missing."""
    if not any(name in extras for name in names):
        return None
    try:
        return [extras[name].double().numpy().copy() for name in names]
    except KeyError as error:
        raise CheckpointError(f"the checkpoint's {what} lack {error}") from None


def place(resolutions: NDArray[np.float64], resolution: float) -> int:
    """Index of a resolution among those stored; raises `InputError` that lists them."""
    near = np.flatnonzero(np.isclose(resolutions, resolution, rtol=1e-4))
    if not len(near):
        stored = ", ".join(f"{value:g}" for value in resolutions)
        raise InputError(f"there are no percentiles at a resolution of {resolution:g} Å; there are at {stored} Å")
    return int(near[0])


def _standing(value: float, quantiles: NDArray[np.float64]) -> float:
    """Percentile of one value. Beyond 0.5 and 99.5 it nears the end exponentially, so that bad differs from worse."""
    last, tenth = 1, 10  # places of the percentiles 0.5 and 5, counted from either end
    for sign, ends in ((1.0, quantiles), (-1.0, -quantiles[::-1])):
        beyond = ends[last] - sign * value
        if beyond > 0:
            scale = max((ends[tenth] - ends[last]) / np.log(LEVELS[tenth] / LEVELS[last]), 1e-12)
            share = LEVELS[last] * np.exp(-beyond / scale)
            return float(share if sign > 0 else 100.0 - share)
    return float(np.interp(value, quantiles, LEVELS))


def _names(distribution: str, geometry: str, quantity: str) -> list[str]:
    """What the tensors of a reference are called."""
    stem = ".".join(filter(None, ("reference", distribution, geometry, quantity)))
    return [f"{stem}.{part}" for part in ("resolutions", "sizes", "quantiles")]


def _slope(offset: NDArray[np.integer], values: NDArray[np.float64]) -> float:
    """Nats an atom around offset 0: a line through all molecules, those of near sizes counting most."""
    if len(np.unique(offset)) < 2:
        return 0.0
    weight = np.exp(-0.25 * ((np.abs(offset) - np.abs(offset).min()) / NEAR_ATOMS) ** 2)
    return float(np.polyfit(offset, values, 1, w=weight)[0])


def quantile_table(
    values: NDArray[np.float64],
    n_atoms: NDArray[np.integer],
    sizes: NDArray[np.integer],
    least: int = LEAST_MOLECULES,
) -> NDArray[np.float64]:
    """Quantiles at each of `sizes`, (S, 201), from at least `least` molecules where there are as many in all."""
    keep = np.isfinite(values)
    if not keep.any():
        raise InputError("no reference molecule has a finite log-likelihood")
    values, n_atoms = values[keep], n_atoms[keep]
    rows = []
    for size in sizes:
        distance = np.abs(n_atoms - size)
        radius = np.sort(distance)[min(least, len(distance)) - 1]
        near = distance <= radius
        moved = values[near] - _slope(n_atoms - size, values) * (n_atoms[near] - size)
        rows.append(np.quantile(moved, LEVELS / 100))
    return np.stack(rows)
