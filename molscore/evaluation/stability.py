"""Atom and molecule stability as EDM defines them.

References:
    Hoogeboom et al. 2022, Equivariant Diffusion for Molecule Generation in 3D, https://arxiv.org/abs/2203.17003
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from molscore.datasets.molecule_set import MoleculeSet
from molscore.evaluation.bonds import Bonds, as_set, bonds_of
from molscore.evaluation.thresholds import allowed_valences
from molscore.molecules.molecule import Molecule

__all__ = ["Stability", "stability", "stable_atoms", "valences"]


class Stability(NamedTuple):
    """How many atoms of each molecule are stable."""

    stable: np.ndarray  # (M,) int64 stable atoms of each molecule
    sizes: np.ndarray  # (M,) int64 atoms of each molecule

    @property
    def molecules(self) -> np.ndarray:
        """``(M,)`` bool: every atom is stable. Nothing is asked about connectivity."""
        return self.stable == self.sizes

    @property
    def atom_stability(self) -> float:
        """Percent of all atoms, pooled over the molecules."""
        return 100 * float(self.stable.sum() / self.sizes.sum())

    @property
    def molecule_stability(self) -> float:
        """Percent of molecules all of whose atoms are stable."""
        return 100 * float(self.molecules.mean())


def stability(molecules: MoleculeSet | Iterable[Molecule], bonds: Bonds | None = None) -> Stability:
    """Count the stable atoms of molecules, whose `bonds` may be given if they are known.

    Raises `InputError` without molecules and `ElementError` for an element that the metric does not know.
    """
    molecules = as_set(molecules)
    stable = stable_atoms(molecules, bonds_of(molecules) if bonds is None else bonds)
    return Stability(np.add.reduceat(stable.astype(np.int64), molecules.offsets[:-1]), molecules.sizes.astype(np.int64))


def stable_atoms(molecules: MoleculeSet, bonds: Bonds) -> np.ndarray:
    """Whether each atom's bond orders add up to a valence of its element, ``(ΣN,)`` bool."""
    table = allowed_valences()
    return table[molecules.numbers, np.minimum(valences(molecules, bonds), table.shape[1] - 1)]


def valences(molecules: MoleculeSet, bonds: Bonds) -> np.ndarray:
    """Sum of bond orders at each atom, ``(ΣN,)`` int64."""
    both = np.concatenate([bonds.atoms[:, 0], bonds.atoms[:, 1]])
    total = np.bincount(both, weights=np.tile(bonds.orders, 2), minlength=len(molecules.numbers))
    return total.astype(np.int64)
