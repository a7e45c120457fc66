"""Which molecules a data set takes, neutral, closed-shell, in one piece, of 2 to 64 atoms."""

import numpy as np
from rdkit import Chem

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
from molscore.molecules.chem import contents_of, from_smiles, shown
from molscore.molecules.molecule import Molecule

__all__ = ["ELEMENTS", "LARGEST", "check_distances", "check_graph", "check_size"]

ELEMENTS = ("H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Br", "I")
LARGEST = 64  # atoms, hydrogens included

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
