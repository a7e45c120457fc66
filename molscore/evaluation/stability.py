"""EDM's metric: bonds read from distances, for many molecules at once, and the atoms whose valence they fill.

References:
    Hoogeboom et al. 2022, Equivariant Diffusion for Molecule Generation in 3D, https://arxiv.org/abs/2203.17003
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from molscore.datasets.molecule_set import MoleculeSet
from molscore.errors import ElementError, InputError
from molscore.evaluation.thresholds import ALLOWED_VALENCES, allowed_valences, threshold_tables
from molscore.molecules.elements import SYMBOLS
from molscore.molecules.molecule import Molecule

__all__ = [
    "DistanceBonds", "Stability", "as_set", "bonds_of", "piece_counts", "stability", "stable_atoms", "valences",
]  # fmt: skip


class DistanceBonds(NamedTuple):
    """The bonds of a molecule set, in ascending order of their first and second atom."""

    atoms: np.ndarray  # (E, 2) int64 positions in the set's flat atom list, the first smaller
    orders: np.ndarray  # (E,) int64: 1, 2 or 3


def as_set(molecules: MoleculeSet | Iterable[Molecule]) -> MoleculeSet:
    """Any molecules as one set, each about its own mean; raises `InputError` when there are none."""
    if not isinstance(molecules, MoleculeSet):
        # Centred first: float32 would blur a molecule that lies far from the origin.
        molecules = MoleculeSet.from_molecules(
            Molecule(molecule.numbers, molecule.positions - molecule.positions.mean(axis=0), molecule.name)
            for molecule in molecules
        )
    if not len(molecules):
        raise InputError("there are no molecules to evaluate")
    return molecules


def bonds_of(molecules: MoleculeSet) -> DistanceBonds:
    """Order 1, 2 or 3 where two atoms are closer than the length of such a bond plus its margin.

    The rule is nested and strict: a pair is a double bond only if it is closer than a single bond is and triple
    only if it is closer than a double bond is. Pairs of elements without a length have no bond.
    Raises `ElementError` naming the molecule and an element that the metric does not know.
    """
    _check_elements(molecules)
    tables = threshold_tables()
    numbers = molecules.numbers
    present = np.unique(numbers)
    reach = tables[0][np.ix_(present, present)].max() / 100
    pairs = _close_pairs(molecules, reach)
    first, second = numbers[pairs[:, 0]], numbers[pairs[:, 1]]
    positions = molecules.positions.astype(np.float64)
    distance = 100 * np.linalg.norm(positions[pairs[:, 0]] - positions[pairs[:, 1]], axis=1)
    single, double, triple = (distance < tables[order, first, second] for order in range(3))
    orders = single.astype(np.int64) + (single & double) + (single & double & triple)
    bonded = orders > 0
    return DistanceBonds(pairs[bonded], orders[bonded])


def piece_counts(molecules: MoleculeSet, bonds: DistanceBonds) -> np.ndarray:
    """Pieces that the bonds make of each molecule, ``(M,)`` int64; 1 for a connected one."""
    n_atoms = len(molecules.numbers)
    graph = coo_array((np.ones(len(bonds.atoms)), (bonds.atoms[:, 0], bonds.atoms[:, 1])), shape=(n_atoms, n_atoms))
    _, piece = connected_components(graph, directed=False)
    _, first_atom = np.unique(piece, return_index=True)
    return np.bincount(molecules.atom_rows[first_atom], minlength=len(molecules))


def _close_pairs(molecules: MoleculeSet, reach: float) -> np.ndarray:
    """Pairs of atoms ``(E, 2)`` of one molecule that are nearer than about `reach` Å.

    One tree for all: each molecule lies at its own place on a fourth axis, out of reach of the others.
    """
    places = np.column_stack([molecules.positions, 10 * reach * molecules.atom_rows])
    # the tree splits just above a coordinate, and the number just above 0 is flushed to 0 where a network has been run
    places += 1 - places.min(axis=0)
    pairs = cKDTree(places).query_pairs(reach * (1 + 1e-6) + 1e-6, output_type="ndarray")
    pairs.sort(axis=1)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def _check_elements(molecules: MoleculeSet) -> None:
    """Refuse elements without a stable valence."""
    unknown = ~allowed_valences().any(axis=1)[molecules.numbers]
    if unknown.any():
        atom = int(unknown.argmax())
        raise ElementError(
            f"{molecules.label(molecules.atom_rows[atom])}: the stability metric has no bond lengths for "
            f"{SYMBOLS[molecules.numbers[atom]]}, only for {', '.join(ALLOWED_VALENCES)}"
        )


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


def stability(molecules: MoleculeSet | Iterable[Molecule], bonds: DistanceBonds | None = None) -> Stability:
    """Count the stable atoms of molecules, whose `bonds` may be given if they are known.

    Raises `InputError` without molecules and `ElementError` for an element that the metric does not know.
    """
    molecules = as_set(molecules)
    stable = stable_atoms(molecules, bonds_of(molecules) if bonds is None else bonds)
    return Stability(np.add.reduceat(stable.astype(np.int64), molecules.offsets[:-1]), molecules.sizes.astype(np.int64))


def stable_atoms(molecules: MoleculeSet, bonds: DistanceBonds) -> np.ndarray:
    """Whether each atom's bond orders add up to a valence of its element, ``(ΣN,)`` bool."""
    table = allowed_valences()
    return table[molecules.numbers, np.minimum(valences(molecules, bonds), table.shape[1] - 1)]


def valences(molecules: MoleculeSet, bonds: DistanceBonds) -> np.ndarray:
    """Sum of bond orders at each atom, ``(ΣN,)`` int64."""
    both = np.concatenate([bonds.atoms[:, 0], bonds.atoms[:, 1]])
    total = np.bincount(both, weights=np.tile(bonds.orders, 2), minlength=len(molecules.numbers))
    return total.astype(np.int64)
