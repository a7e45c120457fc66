"""What an atom usually adds to a log-density: mean and deviation by element and number of neighbours.

The share of one atom means little by itself: a hydrogen's is not an oxygen's. Beside what is usual for such an atom in
held-out molecules it says which atoms make a molecule unlikely.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from molscore.errors import CheckpointError
from molscore.molecules.batch import element_index
from molscore.molecules.molecule import Molecule
from molscore.molecules.neighbours import neighbour_counts
from molscore.screening.reference import GIVEN, place, stored

__all__ = ["MAX_NEIGHBOURS", "UsualAtoms"]

MAX_NEIGHBOURS = 4  # more count as so many
LEAST_ATOMS = 50  # fewer of a kind are described by their element
_PARTS = ("resolutions", "mean", "deviation")


@dataclass(frozen=True, eq=False)
class UsualAtoms:
    """Mean and standard deviation of atoms' shares in the log-density of reference molecules."""

    elements: tuple[str, ...]
    resolutions: NDArray[np.float64]
    """(R,) Å."""
    mean: NDArray[np.float64]
    """(R, E, 5) nats, by element and 0 to 4 neighbours."""
    deviation: NDArray[np.float64]
    """(R, E, 5) nats."""

    @classmethod
    def of(
        cls,
        shares: Sequence[Sequence[NDArray[np.float64]]],
        molecules: Sequence[Molecule],
        elements: Sequence[str],
        resolutions: Sequence[float],
    ) -> "UsualAtoms":
        """From shares (N_i,) of each molecule's atoms at each resolution."""
        rows, neighbours = _kinds(molecules, elements)
        shape = (len(resolutions), len(elements), MAX_NEIGHBOURS + 1)
        mean, deviation = np.zeros(shape), np.ones(shape)
        for r, values in enumerate(np.concatenate(list(at)) for at in shares):
            for e, k in np.ndindex(*shape[1:]):
                kind = (rows == e) & (neighbours == k)
                kind = kind if kind.sum() >= LEAST_ATOMS else rows == e
                if kind.sum() > 1:
                    mean[r, e, k], deviation[r, e, k] = values[kind].mean(), max(values[kind].std(), 1e-6)
        return cls(tuple(elements), np.array(resolutions, dtype=np.float64), mean, deviation)

    def at(self, molecule: Molecule, resolution: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and deviation in nats for each atom, (N,) each."""
        (rows, neighbours), r = _kinds([molecule], self.elements), place(self.resolutions, resolution)
        return self.mean[r, rows, neighbours], self.deviation[r, rows, neighbours]

    def to_extras(self, distribution: str, geometry: str = GIVEN) -> dict[str, Tensor]:
        """Tensors to keep in a checkpoint."""
        values = (self.resolutions, self.mean.astype(np.float32), self.deviation.astype(np.float32))
        return dict(zip(_names(distribution, geometry), map(torch.tensor, values), strict=True))

    @classmethod
    def from_extras(
        cls, extras: Mapping[str, Tensor], distribution: str, elements: Sequence[str], geometry: str = GIVEN
    ) -> "UsualAtoms | None":
        """Inverse of `to_extras`; None where there is no such table, CheckpointError where it does not fit."""
        names = _names(distribution, geometry)
        if (found := stored(extras, names, "usual atoms")) is None:
            return None
        resolutions, mean, deviation = found
        shape = (len(resolutions), len(elements), MAX_NEIGHBOURS + 1)
        if mean.shape != shape or deviation.shape != shape or not (deviation > 0).all() or not np.isfinite(mean).all():
            raise CheckpointError(f"the checkpoint's usual atoms have the wrong shape {mean.shape}")
        return cls(tuple(elements), resolutions, mean, deviation)


def _kinds(molecules: Sequence[Molecule], elements: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row of the element and number of neighbours of each atom of all molecules, (ΣN,) each."""
    rows = element_index(elements)[np.concatenate([molecule.numbers for molecule in molecules])]
    neighbours = np.concatenate([neighbour_counts(molecule) for molecule in molecules])
    return rows, np.minimum(neighbours, MAX_NEIGHBOURS)


def _names(distribution: str, geometry: str) -> list[str]:
    return [f"reference.{distribution}.{geometry}.atoms.{part}" for part in _PARTS]
