<<<<<<< HEAD
"""What distances between atoms tell, quickly and without RDKit: neighbours, and geometries that cannot be meant.

Lengths are compared with sums of covalent radii (Cordero et al. 2008, doi:10.1039/B801115J).
"""
=======
"""What distances alone tell of a geometry: bonded neighbours, rings and rotatable bonds. Quick, and it never fails."""

from typing import NamedTuple
>>>>>>> pipes-reference

import numpy as np
from ase.data import covalent_radii
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from molscore.errors import FragmentError, PositionError
from molscore.molecules.molecule import Molecule

<<<<<<< HEAD
__all__ = ["REACH", "check_geometry", "neighbour_counts"]

REACH = 1.25  # bonds are shorter than this many sums of covalent radii; contacts of atoms not bonded are longer
# Below, limits that 1,300 molecules of QM9 and of the PDB's ligands keep with 0.1 Å of noise on every coordinate.
_JOINED = 1.6  # atoms farther apart are in different pieces; ion pairs begin at 1.65, hydrogen bonds at 1.8
_NEAREST = (0.5, 1.4)  # median distance of the nearest neighbour; in nm it is 0.1, in Bohr 1.46 (N2) to 2.3 (H2)
# Bonds missing for each carbon and nitrogen. Without hydrogen, whole molecules have 0.35 at most (N2O; 0.20 in QM9),
# the heavy atoms of other ones more in 99 of 100 cases; a molecule with some of its hydrogens is doubted later.
_MISSING_ALL, _MISSING_SOME = 0.4, 1.25
_PAULING = 0.3  # Å
_TRIPLE = 2.3  # bonds of this order and more are taken for triple ones


def neighbour_counts(molecule: Molecule) -> NDArray[np.int64]:
    """Atoms within `REACH` sums of covalent radii of each atom, (N,)."""
    return (_ratios(molecule) < REACH).sum(1)


def check_geometry(molecule: Molecule) -> None:
    """Raise `PositionError` for positions that are not in Å or that lack hydrogens, `FragmentError` for several pieces.

    A molecule of which a geometry is merely unlikely passes.
    """
    if molecule.n_atoms < 2:
        return
    ratio = _ratios(molecule)
    nearest = float(np.median(ratio.min(1)))
    if not _NEAREST[0] < nearest < _NEAREST[1]:
        unit = "Bohr (0.529 Å)" if nearest > 1 else "nm (10 Å)"
        raise PositionError(
            f"{molecule.label}: neighbours are {nearest:.2g} times as far apart as bonded atoms are; positions are in "
            f"Å, are these in {unit}?"
        )
    pieces, _ = connected_components(ratio < _JOINED, directed=False)
    if pieces > 1:
        raise FragmentError(f"{molecule.label} is in {pieces} pieces: its geometry is that of no single molecule")
    missing = _missing_bonds(molecule, ratio)
    if missing > (_MISSING_SOME if (molecule.numbers == 1).any() else _MISSING_ALL):
        raise PositionError(f"{molecule.label}: hydrogens have no positions; add them")


def _ratios(molecule: Molecule) -> NDArray[np.float64]:
    """Distances in sums of covalent radii, (N, N), infinite from an atom to itself."""
    x, radii = molecule.positions, covalent_radii[molecule.numbers]
    ratio = np.linalg.norm(x[:, None] - x[None], axis=-1) / (radii[:, None] + radii)
    np.fill_diagonal(ratio, np.inf)
    return ratio


def _missing_bonds(molecule: Molecule, ratio: NDArray[np.float64]) -> float:
    """How many bonds carbons and nitrogens lack on average, by Pauling's rule: order = exp((d1 - d) / 0.3 Å).

    Source: Pauling, J. Am. Chem. Soc. 1947, 69, 542.
    """
    numbers, radii = molecule.numbers, covalent_radii[molecule.numbers]
    bonded, hydrogen = ratio < REACH, numbers == 1
    order = np.exp((radii[:, None] + radii) * (1 - np.minimum(ratio, REACH)) / _PAULING).clip(1, 3)
    order[order > _TRIPLE] = 3
    order[hydrogen[:, None] | hydrogen] = 1
    order[~bonded] = 0
    valence = np.select([numbers == 6, numbers == 7], [4, 3], 0)
    hetero = order[:, np.isin(numbers, (7, 8))].max(1, initial=0)
    valence -= (numbers == 6) & (bonded.sum(1) == 1) & (hetero == 3)  # CO and isonitriles
    counted = valence > 0
    return float(np.maximum(valence - order.sum(1), 0)[counted].mean()) if counted.any() else 0.0
=======
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
>>>>>>> pipes-reference
