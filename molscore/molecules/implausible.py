"""What real molecules hardly have although their bonds fit: lone charges, bent triple bonds, atoms that clash."""

from collections import Counter

import numpy as np
from ase.data import covalent_radii
from numpy.typing import NDArray
from rdkit import Chem

__all__ = ["ASKED", "doubts", "separated_charges"]

SMALLEST = 8  # atoms of a ring that holds a linear atom: cyclooctyne is the smallest cycloalkyne that can be kept
CLASH = 1.3  # Å between atoms that are not bonded; those of QM9 are 1.49 Å apart and more
CLASH_FAR = 1.3  # sums of covalent radii between atoms three bonds or more apart

ASKED = {
    "charges": "only next to the opposite charge, as in nitro groups",
    "ring": f"triple and cumulated bonds in rings of {SMALLEST} atoms or more",
    "clash": f"{CLASH:g} Å, three bonds apart {CLASH_FAR:g} sums of covalent radii too",
}
"""What each check asks, by its name."""


def doubts(mol: Chem.Mol, positions: NDArray[np.floating]) -> dict[str, str]:
    """What is implausible in a molecule in one piece at positions (N, 3) Å, by the name of the check.

    The graph has all hydrogens. Of QM9's test split, 13,082 molecules, 41 are turned down for charges, 2 for a ring and
    3 for a clash (bonds that perception misses); of 1,842 of the PDB's ligands 9, 1 and 4.
    """
    found = {
        "charges": " ".join(separated_charges(mol)),
        "ring": _strained_ring(mol),
        "clash": _clash(mol, np.asarray(positions)),
    }
    return {name: value for name, value in found.items() if value}


def separated_charges(mol: Chem.Mol) -> list[str]:
    """Charged atoms without a neighbour of opposite charge, such as ``N+``, and oxonium, in atom order.

    Nitro groups, N-oxides, isocyanides and azides have none: their charges are how the bonds are written. What is left
    are zwitterions (3 in 1,000 of QM9) and readings of a geometry that has a hydrogen too many or too few.
    """

    def oxonium(atom: Chem.Atom) -> bool:
        return atom.GetAtomicNum() == 8 and atom.GetFormalCharge() > 0 and atom.GetDegree() > 1

    charges = [atom.GetFormalCharge() for atom in mol.GetAtoms()]
    return [
        f"{atom.GetSymbol()}{'+' if charge > 0 else '-'}"
        for atom, charge in zip(mol.GetAtoms(), charges, strict=True)
        if charge and (oxonium(atom) or not any(charge * charges[b.GetIdx()] < 0 for b in atom.GetNeighbors()))
    ]


def _strained_ring(mol: Chem.Mol) -> str:
    """The first ring too small for a linear atom that it holds, as in arynes, cycloalkynes and cyclic allenes."""
    for ring in mol.GetRingInfo().BondRings():
        if len(ring) < SMALLEST:
            bonds = [mol.GetBondWithIdx(index) for index in ring]
            if any(bond.GetBondType() == Chem.BondType.TRIPLE for bond in bonds):
                return f"a triple bond in a ring of {len(ring)}"
            doubly = [bond for bond in bonds if bond.GetBondType() == Chem.BondType.DOUBLE]
            ends = Counter(end for bond in doubly for end in (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()))
            if any(n > 1 and mol.GetAtomWithIdx(end).GetAtomicNum() in (6, 7) for end, n in ends.items()):
                return f"two double bonds at one atom in a ring of {len(ring)}"
    return ""


def _clash(mol: Chem.Mol, x: NDArray[np.floating]) -> str:
    """The closest pair of atoms that clash, in words."""
    bonds, symbols = Chem.GetDistanceMatrix(mol), [atom.GetSymbol() for atom in mol.GetAtoms()]
    radii = covalent_radii[[atom.GetAtomicNum() for atom in mol.GetAtoms()]]
    distance = np.linalg.norm(x[:, None] - x, axis=-1)
    near = (distance < CLASH) | ((distance < CLASH_FAR * (radii[:, None] + radii)) & (bonds > 2))
    near &= bonds > 1
    if not near.any():
        return ""
    i, j = sorted(np.unravel_index(np.argmin(np.where(near, distance, np.inf)), near.shape))
    return f"{symbols[i]}{i} and {symbols[j]}{j} {distance[i, j]:.2f} Å apart, not bonded"
