"""Percentiles: where a log-likelihood stands among reference molecules of like size.

For every size N and stored resolution, quantiles of the log-likelihood of held-out molecules. A size with few molecules
borrows from its neighbours, whose values are moved along the line that best fits log-likelihood against N there.

Like is compared with like: geometries made here (ETKDGv3 and MMFF94s) are not quite those of quantum chemistry, and at
high resolution hundredths of an Å cost nats. So they have a reference of their own, of geometries made the same way.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from molscore.errors import CheckpointError, InputError, MolscoreError
from molscore.molecules.molecule import Molecule
from molscore.screening.admission import admit_all

if TYPE_CHECKING:
    from molscore.screening.model import Model

__all__ = ["ETKDG", "GIVEN", "RESOLUTIONS", "Reference", "make_reference", "quantile_table"]

RESOLUTIONS = (0.02, 0.05, 0.1, 0.2)  # Å
GIVEN, ETKDG = "given", "etkdg"  # where a geometry comes from
LEVELS = np.linspace(0.0, 100.0, 201)
LEAST_MOLECULES = 200
NEAR_ATOMS = 2.0  # sizes this far count about as much as the nearest one in how log-likelihood changes with size


@dataclass(frozen=True, eq=False)
class Reference:
    """Quantiles of the log-likelihood of the reference molecules of one distribution."""

    resolutions: NDArray[np.float64]
    """(R,) Å."""
    sizes: NDArray[np.int64]
    """(S,) numbers of atoms, consecutive."""
    quantiles: NDArray[np.float64]
    """(R, S, 201) nats, at percentiles 0, 0.5 ... 100."""

    def percentile(self, log_likelihood: ArrayLike, n_atoms: ArrayLike, resolution: float) -> NDArray[np.float64]:
        """0 to 100 for each molecule, (M,); raises `InputError` that lists the stored resolutions for another one."""
        table = self.quantiles[self.index_of(resolution)]
        rows = np.clip(np.asarray(n_atoms) - self.sizes[0], 0, len(self.sizes) - 1)
        values = np.asarray(log_likelihood, dtype=np.float64)
        return np.array([np.interp(v, table[row], LEVELS) for v, row in zip(values, rows, strict=True)])

    def index_of(self, resolution: float) -> int:
        """Place of a resolution among those stored."""
        near = np.flatnonzero(np.isclose(self.resolutions, resolution, rtol=1e-4))
        if not len(near):
            stored = ", ".join(f"{value:g}" for value in self.resolutions)
            raise InputError(f"there are no percentiles at a resolution of {resolution:g} Å; there are at {stored} Å")
        return int(near[0])

    def to_extras(self, distribution: str, geometry: str = GIVEN) -> dict[str, Tensor]:
        """Tensors to keep in a checkpoint."""
        values = (self.resolutions, self.sizes, self.quantiles.astype(np.float32))
        return dict(zip(_names(distribution, geometry), map(torch.from_numpy, values), strict=True))

    @classmethod
    def from_extras(cls, extras: Mapping[str, Tensor], distribution: str, geometry: str = GIVEN) -> "Reference | None":
        """Inverse of `to_extras`; None where there is no such table, CheckpointError where it does not fit."""
        names = _names(distribution, geometry)
        if not any(name in extras for name in names):
            return None
        try:
            resolutions, sizes, quantiles = (extras[name].double().numpy() for name in names)
        except KeyError as error:
            raise CheckpointError(f"the checkpoint's reference percentiles lack {error}") from None
        if quantiles.shape != (len(resolutions), len(sizes), len(LEVELS)) or not np.isfinite(quantiles).all():
            raise CheckpointError(f"the checkpoint's reference percentiles have the wrong shape {quantiles.shape}")
        return cls(resolutions, sizes.astype(np.int64), quantiles)


def make_reference(
    model: "Model", molecules: Iterable[Molecule], resolutions: Sequence[float] = RESOLUTIONS
) -> Reference:
    """Tables from held-out molecules of the model's distribution; those that it cannot judge are left out.

    `Model.with_extras(reference.to_extras(name))` is the model that has them. Raises `InputError` without molecules.
    """
    molecules = [molecule for molecule in molecules if _admitted(molecule, model)]
    if not molecules:
        raise InputError("there are no molecules to make reference percentiles from")
    sizes = np.arange(2, model.max_atoms + 1)
    n_atoms = np.array([molecule.n_atoms for molecule in molecules])
    tables = [quantile_table(model.log_likelihood(molecules, resolution), n_atoms, sizes) for resolution in resolutions]
    return Reference(np.array(resolutions, dtype=np.float64), sizes, np.stack(tables))


def _names(distribution: str, geometry: str) -> list[str]:
    """What the tensors of a reference are called."""
    return [f"reference.{distribution}.{geometry}.{part}" for part in ("resolutions", "sizes", "quantiles")]


def _slope(offset: NDArray[np.integer], values: NDArray[np.float64]) -> float:
    """Nats an atom around offset 0: a line through all molecules, those of near sizes counting most."""
    if len(np.unique(offset)) < 2:
        return 0.0
    weight = np.exp(-0.25 * ((np.abs(offset) - np.abs(offset).min()) / NEAR_ATOMS) ** 2)
    return float(np.polyfit(offset, values, 1, w=weight)[0])


def _admitted(molecule: Molecule, model: "Model") -> bool:
    try:
        admit_all([molecule], model.distribution)
    except MolscoreError:
        return False
    return True


def quantile_table(
    log_likelihood: NDArray[np.float64],
    n_atoms: NDArray[np.integer],
    sizes: NDArray[np.integer],
    least: int = LEAST_MOLECULES,
) -> NDArray[np.float64]:
    """Quantiles at each of `sizes`, (S, 201), from at least `least` molecules where there are as many in all."""
    keep = np.isfinite(log_likelihood)
    if not keep.any():
        raise InputError("no reference molecule has a finite log-likelihood")
    values, n_atoms = log_likelihood[keep], n_atoms[keep]
    rows = []
    for size in sizes:
        distance = np.abs(n_atoms - size)
        radius = np.sort(distance)[min(least, len(distance)) - 1]
        near = distance <= radius
        moved = values[near] - _slope(n_atoms - size, values) * (n_atoms[near] - size)
        rows.append(np.quantile(moved, LEVELS / 100))
    return np.stack(rows)
