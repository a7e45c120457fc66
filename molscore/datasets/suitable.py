"""Which molecules a data set takes, neutral, closed-shell, in one piece, of 2 to 64 atoms; whether bonds fit atoms."""

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import rdDetermineBonds

from molscore.errors import (
    ChargeError,
    ElementError,
    FragmentError,
    ParseError,
    PositionError,
    RadicalError,
    TooLargeError,
    TooSmallError,
)
from molscore.molecules.bonds import bare_mol
from molscore.molecules.chem import bond_array, contents_of, from_smiles, shown
from molscore.molecules.molecule import Molecule

__all__ = ["ELEMENTS", "LARGEST", "bonds_over", "check_distances", "check_graph", "check_size"]

ELEMENTS = ("H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Br", "I")
LARGEST = 64  # atoms, hydrogens included

# Two atoms are joined below so many times the sum of their covalent radii; where one value gives another graph than the
# SMILES string, the next may not.
_COVALENT_FACTORS = (1.3, 1.2, 1.15, 1.4)
# Lengths as multiples of the sum of the two covalent radii. H-H is 1.19, the longest bond of QM9 1.27; atoms without a
# bond between them are at 1.2 or more.
_CLOSEST, _LONGEST = 0.6, 1.5
_RADII = np.array([0.0] + [Chem.GetPeriodicTable().GetRcovalent(number) for number in range(1, 119)])


def check_graph(smiles: str) -> Chem.Mol:
    """The graph of a SMILES string, hydrogens implicit; raises the typed error that says why no data set takes it."""
    graph, label = from_smiles(smiles), shown(smiles)
    found = contents_of(graph)
    if found.pieces != 1:
        raise FragmentError(f"{label} is in {found.pieces} pieces")
    if found.charge:
        raise ChargeError(f"{label} has a net charge of {found.charge:+d}")
    if found.unpaired:
        raise RadicalError(f"{label} has unpaired electrons ({found.unpaired})")
    if others := [symbol for symbol in found.counts if symbol not in ELEMENTS]:
        raise ElementError(f"{label}: element {others[0]} is not one of {', '.join(ELEMENTS)}")
    check_size(found.n_atoms, label)
    return graph


def check_size(n_atoms: int, label: str) -> None:
    """Raise `SizeError` for fewer than 2 atoms or more than 64."""
    if n_atoms < 2:
        raise TooSmallError(f"{label}: a single atom has no geometry")
    if n_atoms > LARGEST:
        raise TooLargeError(f"{label}: {n_atoms} atoms; {LARGEST} at most are taken")


def check_distances(molecule: Molecule, bonds: np.ndarray) -> None:
    """Raise `PositionError` for atoms that are too close, or bonds ``(E, 3)`` that are too long, to be a molecule."""
    if len(bonds) == 0 or int(bonds[:, :2].max()) >= molecule.n_atoms:
        raise ParseError(f"{molecule.label}: the bonds are not between its atoms")
    radii, symbols = _RADII[molecule.numbers], molecule.symbols
    distances = np.linalg.norm(molecule.positions[:, None] - molecule.positions, axis=-1)
    ratios = distances / (radii[:, None] + radii)
    np.fill_diagonal(ratios, np.inf)
    first, second = bonds[:, 0].astype(int), bonds[:, 1].astype(int)
    longest = int(ratios[first, second].argmax())
    closest = np.unravel_index(ratios.argmin(), ratios.shape)
    for (i, j), wrong in (
        ((first[longest], second[longest]), ratios[first[longest], second[longest]] > _LONGEST),
        (closest, ratios[closest] < _CLOSEST),
    ):
        if wrong:
            raise PositionError(
                f"{molecule.label}: atoms {i} ({symbols[i]}) and {j} ({symbols[j]}) are {distances[i, j]:.2f} Å apart: "
                "not a molecule, or positions that are not in Å"
            )


def bonds_over(smiles: str, molecule: Molecule) -> np.ndarray | None:
    """Bonds ``(E, 3)`` of `smiles` between the atoms of `molecule`, as `bond_array` has them; None if they do not fit.

    They fit where the graph of atoms that are near each other is that of the SMILES string, orders and charges aside.
    Raises `ParseError` for a bad SMILES string.
    """
    graph = Chem.AddHs(from_smiles(smiles))
    if graph.GetNumAtoms() != molecule.n_atoms or (bonds := bond_array(graph)) is None:
        return None
    skeleton = Chem.RWMol()
    for atom in graph.GetAtoms():
        skeleton.AddAtom(Chem.Atom(atom.GetAtomicNum()))
    for first, second, _ in bonds.tolist():
        skeleton.AddBond(first, second, Chem.BondType.SINGLE)
    atoms = bare_mol(molecule)
    for factor in _COVALENT_FACTORS:
        near = Chem.RWMol(atoms)
        with rdBase.BlockLogs():
            rdDetermineBonds.DetermineConnectivity(near, useVdw=True, covFactor=factor)
        if near.GetNumBonds() == len(bonds) and (match := near.GetSubstructMatch(skeleton)):
            place = np.array(match, dtype=np.uint16)
            return np.column_stack([place[bonds[:, 0]], place[bonds[:, 1]], bonds[:, 2]])
    return None
