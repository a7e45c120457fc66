"""What distances alone tell of a geometry: bonded neighbours, rings and rotatable bonds. Quick, and it never fails."""

from typing import NamedTuple

import numpy as np
from ase.data import covalent_radii
from numpy.typing import NDArray

from molscore.molecules.molecule import Molecule

__all__ = ["Topology", "bonded", "neighbour_counts", "topology"]

REACH = 1.25  # bonds are shorter than this many sums of covalent radii; contacts of atoms not bonded are longer
TAUT = 1.2  # the same for rings: atoms across a strained ring, as in bicyclopentane, are not bonded
DOUBLE = 0.9  # sums of covalent radii within which a bond does not turn


class Topology(NamedTuple):
    """Counts that say what kind of molecule it is."""

    heavy: int
    """Atoms other than hydrogen."""
    rings: int
    """Independent rings: bonds less atoms and pieces."""
    rotatable: int
    """Single bonds outside rings between heavy atoms that both have another heavy neighbour, none of them linear."""


def bonded(molecule: Molecule, reach: float = REACH) -> NDArray[np.bool_]:
    """Which atoms lie within `reach` sums of covalent radii (Cordero 2008, doi:10.1039/B801115J), (N, N)."""
    x, radii = molecule.positions, covalent_radii[molecule.numbers]
    distance = np.linalg.norm(x[:, None] - x[None], axis=-1)
    near = distance < reach * (radii[:, None] + radii[None])
    np.fill_diagonal(near, False)
    return near


def neighbour_counts(molecule: Molecule) -> NDArray[np.int64]:
    """Bonded neighbours of each atom, (N,)."""
    return bonded(molecule).sum(1)


def topology(molecule: Molecule) -> Topology:
    """Heavy atoms, rings and rotatable bonds.

    A bond is in no ring where the resistance distance between its ends is one (Klein and Randić 1993,
    doi:10.1007/BF01164627).
    """
    near, heavy = bonded(molecule, TAUT), molecule.numbers > 1
    skeleton = near[np.ix_(heavy, heavy)]
    degree = skeleton.sum(1)
    inverse = np.linalg.pinv(np.diag(degree) - skeleton, hermitian=True)
    pieces = len(degree) - np.linalg.matrix_rank(inverse, hermitian=True)
    resistance = np.diag(inverse)[:, None] + np.diag(inverse)[None] - 2 * inverse
    linear = (near.sum(1) == 2)[heavy] & (molecule.numbers[heavy] == 6)
    inner = (degree > 1) & ~linear
    short = bonded(molecule, DOUBLE)[np.ix_(heavy, heavy)]
    turning = skeleton & ~short & (resistance > 1 - 1e-6) & inner[:, None] & inner[None]
    bonds = int(skeleton.sum()) // 2
    return Topology(len(degree), bonds - len(degree) + pieces, int(turning.sum()) // 2)
