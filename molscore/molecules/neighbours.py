"""What distances tell, quickly and without RDKit: neighbours, rings, rotatable bonds, geometries that cannot be meant.

Lengths are compared with sums of covalent radii (Cordero et al. 2008, doi:10.1039/B801115J).
"""

from typing import NamedTuple

import numpy as np
from ase.data import covalent_radii
from numpy.typing import NDArray

from molscore.errors import FragmentError, PositionError
from molscore.molecules.elements import VALENCES
from molscore.molecules.molecule import Molecule

__all__ = [
    "REACH", "Topology", "check_extent", "check_geometry", "neighbour_counts", "open_valences", "overlap", "topology",
]  # fmt: skip

REACH = 1.25  # bonds are shorter than this many sums of covalent radii; contacts of atoms not bonded are longer
TAUT = 1.2  # the same for rings: atoms across a strained ring, as in bicyclopentane, are not bonded
DOUBLE = 0.9  # sums of covalent radii within which a bond does not turn
_MAX_EXTENT = 1000.0  # Å from the middle; no molecule of a model is so large, and squares of more lose all digits
# Below, limits that 1,300 molecules of QM9 and of the PDB's ligands keep with 0.1 Å of noise on every coordinate.
_JOINED = 1.6  # atoms farther apart are in different pieces; ion pairs begin at 1.65, hydrogen bonds at 1.8
_NEAREST = (0.5, 1.4)  # median distance of the nearest neighbour; in nm it is 0.1, in Bohr 1.46 (N2) to 2.3 (H2)
# Bonds missing for each carbon and nitrogen. Without hydrogen, whole molecules have 0.35 at most (N2O; 0.20 in QM9),
# the heavy atoms of other ones more in 99 of 100 cases; a molecule with some of its hydrogens is doubted later.
_MISSING_ALL, _MISSING_SOME = 0.4, 1.25
_OVERLAP = 0.4  # Å; the shortest bond, of H2, is 0.74, and of 60,000 molecules with that noise none has atoms so near
_PAULING = 0.3  # Å
_ZERO = 1e-8  # eigenvalues of a graph's Laplacian below it are zero: there is one for each piece
_SURROUNDED = 0.3  # unit vectors from neighbours that add up to less leave no room for another
_TRIPLE = 2.3  # bonds of this order and more are taken for triple ones


class Topology(NamedTuple):
    """Counts that say what kind of molecule it is."""

    heavy: int  # atoms other than hydrogen
    rings: int  # independent rings: bonds less atoms and pieces
    rotatable: int  # single bonds outside rings between heavy atoms that have another heavy neighbour, none linear


def neighbour_counts(molecule: Molecule) -> NDArray[np.int64]:
    """Atoms within `REACH` sums of covalent radii of each atom, (N,)."""
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
    rest = values > _ZERO
    inverse = (vectors[:, rest] / values[rest]) @ vectors[:, rest].T
    resistance = np.diag(inverse)[:, None] + np.diag(inverse) - 2 * inverse
    linear = ((near.sum(1) == 2) & (molecule.numbers == 6))[heavy]
    inner = (degree > 1) & ~linear
    single = skeleton & (ratio[np.ix_(heavy, heavy)] > DOUBLE)
    turning = single & (resistance > 1 - 1e-6) & inner[:, None] & inner
    return Topology(len(degree), bonds - int(rest.sum()), int(turning.sum()) // 2)


def check_extent(molecule: Molecule) -> None:
    """Raise `PositionError` for atoms so far apart, or so close, that they are no molecule."""
    centred = molecule.positions - molecule.positions.mean(0)
    extent = float(np.abs(centred).max())
    if extent > _MAX_EXTENT:
        raise PositionError(f"{molecule.label}: atoms lie {extent:.3g} Å from the middle; are the positions in Å?")
    if extent == 0.0:
        raise PositionError(f"{molecule.label}: all atoms lie at one point")


def check_geometry(molecule: Molecule) -> None:
    """Raise `PositionError` for positions that are not in Å, that lack hydrogens or of which two are at one place,
    `FragmentError` for several pieces.

    A molecule of which a geometry is merely unlikely passes.
    """
    if molecule.n_atoms < 2:
        return
    ratio = _ratios(molecule)
    nearest, near = float(np.median(ratio.min(1))), overlap(molecule)
    if near and ratio.min(1).max() > _NEAREST[0]:  # in nm all would be as near
        raise PositionError(f"{molecule.label}: the atoms {near}, nearer than any two of a molecule")
    if not _NEAREST[0] < nearest < _NEAREST[1]:
        unit = "Bohr (0.529 Å)" if nearest > 1 else "nm (10 Å)"
        raise PositionError(
            f"{molecule.label}: neighbours are {nearest:.2g} times as far apart as bonded atoms are; positions are in "
            f"Å, are these in {unit}?"
        )
    joined = ratio < _JOINED
    pieces = int((np.linalg.eigvalsh(np.diag(joined.sum(1)) - joined) < _ZERO).sum())  # as in `topology`
    if pieces > 1:
        raise FragmentError(f"{molecule.label} is in {pieces} pieces: its geometry is that of no single molecule")
    missing = _missing_bonds(molecule, ratio)
    if missing > (_MISSING_SOME if (molecule.numbers == 1).any() else _MISSING_ALL):
        raise PositionError(f"{molecule.label}: hydrogens have no positions; add them")


def overlap(molecule: Molecule) -> str:
    """The nearest two atoms and their distance, in words, where they are nearer than any bond is long; else empty."""
    x = molecule.positions
    distance = np.linalg.norm(x[:, None] - x, axis=-1)
    np.fill_diagonal(distance, np.inf)
    i, j = sorted(np.unravel_index(distance.argmin(), distance.shape))
    symbols = molecule.symbols
    return f"{symbols[i]}{i} and {symbols[j]}{j} are {distance[i, j]:.2f} Å apart" if distance[i, j] < _OVERLAP else ""


def _ratios(molecule: Molecule) -> NDArray[np.float64]:
    """Distances in sums of covalent radii, (N, N), infinite from an atom to itself."""
    x, radii = molecule.positions, covalent_radii[molecule.numbers]
    ratio = np.linalg.norm(x[:, None] - x[None], axis=-1) / (radii[:, None] + radii)
    np.fill_diagonal(ratio, np.inf)
    return ratio


def open_valences(molecule: Molecule) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bonds that each atom lacks, (N,), and the direction away from its neighbours, (N, 3), of length one.

    An atom with neighbours on all sides, such as a carbon of a double bond whose partner is near, lacks none; the
    direction of one without neighbours is zero.
    """
    x, ratio = molecule.positions, _ratios(molecule)
    order = _bond_orders(molecule, ratio)
    apart = x[:, None] - x
    length = np.linalg.norm(apart, axis=-1, keepdims=True)
    outward = np.divide(apart, length, where=(order > 0)[..., None], out=np.zeros_like(apart)).sum(1)
    length = np.linalg.norm(outward, axis=1)
    valences = np.array([VALENCES.get(int(z), 0) for z in molecule.numbers])
    missing = np.maximum(valences - order.sum(1), 0.0)
    missing[(length < _SURROUNDED) & (order > 0).any(1)] = 0.0
    return missing, outward / np.maximum(length, 1e-9)[:, None]


def _bond_orders(molecule: Molecule, ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """Orders of bonds, (N, N), from 1 to 3 by Pauling's rule, exp((d1 - d) / 0.3 Å); zero where there is none.

    Source: Pauling, J. Am. Chem. Soc. 1947, 69, 542.
    """
    hydrogen, radii = molecule.numbers == 1, covalent_radii[molecule.numbers]
    order = np.exp((radii[:, None] + radii) * (1 - np.minimum(ratio, REACH)) / _PAULING).clip(1, 3)
    order[order > _TRIPLE] = 3
    order[hydrogen[:, None] | hydrogen] = 1
    order[ratio >= REACH] = 0
    return order


def _missing_bonds(molecule: Molecule, ratio: NDArray[np.float64]) -> float:
    """How many bonds carbons and nitrogens lack on average."""
    numbers, order = molecule.numbers, _bond_orders(molecule, ratio)
    valence = np.select([numbers == 6, numbers == 7], [4, 3], 0)
    hetero = order[:, np.isin(numbers, (7, 8))].max(1, initial=0)
    valence -= (numbers == 6) & ((order > 0).sum(1) == 1) & (hetero == 3)  # CO and isonitriles
    counted = valence > 0
    return float(np.maximum(valence - order.sum(1), 0)[counted].mean()) if counted.any() else 0.0
