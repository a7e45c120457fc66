"""Validation: which molecules a model can judge, found before any geometry is made, and which are the same molecule.

Neutral closed shells in one piece, of known elements, of two atoms up to the largest that the distribution has seen.
One rule for every way in: files, SMILES strings and molecules of any kind.
"""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from molscore.errors import (
    ChargeError,
    ElementError,
    FragmentError,
    MismatchError,
    MolscoreError,
    ParseError,
    RadicalError,
    TooLargeError,
    TooSmallError,
)
from molscore.molecules.chem import Contents, contents_of, from_smiles, mol_from_molecule, pattern_of, shown
from molscore.molecules.distribution import Distribution
from molscore.molecules.elements import SYMBOLS, check_formula
from molscore.molecules.files.record import Record, smiles_among
from molscore.molecules.identity import geometry_key, graph_key
from molscore.molecules.molecule import Molecule
from molscore.molecules.neighbours import check_extent, check_geometry

__all__ = ["Validation", "check_atoms", "is_valid", "validate", "validated"]


class Validation(NamedTuple):
    """What is known of a record before its geometry is looked at."""

    n_atoms: int | None = None
    key: str = ""  # the same for the same molecule, see `molscore.molecules.identity`; empty where it cannot be judged
    graph: Chem.Mol | None = None  # of its SMILES string, where it has no geometry
    error: MolscoreError | None = None  # why it cannot be judged


def validated(record: Record, distribution: Distribution, smarts: str | None = None) -> Validation:
    """Whether a model of `distribution` can judge a usable record; the reasons come in the order of `validate`.

    With a SMARTS pattern, molecules without it are not wanted.
    """
    n_atoms = None
    try:
        if (molecule := record.molecule) is not None:
            n_atoms = molecule.n_atoms
            validate(molecule, distribution, molecule.label, whole_geometry=True)
            graph, key = None, geometry_key(molecule, record.smiles or smiles_among(record.columns))
        elif record.smiles:
            graph = from_smiles(record.smiles)
            found = contents_of(graph)
            n_atoms = found.n_atoms
            validate(found, distribution, shown(record.smiles))
            key = graph_key(graph)
        else:
            raise ParseError("the row has neither a geometry nor a SMILES string")
        if smarts is not None:
            graph = graph or (from_smiles(record.smiles) if record.smiles else mol_from_molecule(molecule))
            if not graph.HasSubstructMatch(pattern_of(smarts)):
                raise MismatchError(f"the molecule does not have the pattern {smarts}")
    except MolscoreError as error:
        return Validation(n_atoms, error=error)
    return Validation(n_atoms, key, None if molecule is not None else graph)


def validate(
    found: Molecule | Contents, distribution: Distribution, label: str = "molecule", whole_geometry: bool = False
) -> None:
    """Raise the error that says why a model of `distribution` cannot judge a molecule.

    What could be mended comes first: pieces, then size and elements, then charge, unpaired electrons, geometry and
    formula. Of the geometry only the extent is looked at unless `whole_geometry`: a density is of noisy positions, too,
    but a molecule that someone has is in Å and in one piece, and has its hydrogens.
    """
    if found.pieces != 1:
        raise FragmentError(f"{label} is in {found.pieces} pieces: there is no geometry for them together")
    check_atoms(found.counts, distribution, label)
    if found.charge:
        raise ChargeError(f"{label} has a net charge of {found.charge:+d}: the model knows neutral molecules")
    if found.unpaired:
        raise RadicalError(f"{label} has unpaired electrons ({found.unpaired}): the model knows closed shells")
    if isinstance(found, Molecule):
        check_extent(found)
        if whole_geometry:
            check_geometry(found)
    check_formula(found.counts)


def is_valid(molecule: Molecule, distribution: Distribution) -> bool:
    """Whether a model of `distribution` can judge a molecule."""
    try:
        validate(molecule, distribution)
    except MolscoreError:
        return False
    return True


def check_atoms(
    atoms: Mapping[str, int] | NDArray[np.integer], distribution: Distribution, label: str = "molecule"
) -> None:
    """Raise `SizeError` or `ElementError` for element counts or atomic numbers that `distribution` does not cover."""
    counts = atoms if isinstance(atoms, Mapping) else Counter(SYMBOLS[number] for number in atoms.tolist())
    size, largest = sum(counts.values()), distribution.max_atoms
    if size < 2:
        raise TooSmallError(
            f"{label}: a single atom has no geometry to judge; molecules have 2 to {largest} atoms here"
        )
    if size > largest:
        raise TooLargeError(f"{label}: {size} atoms are more than {largest}, the most in {distribution.name}")
    for symbol in counts:
        if symbol not in distribution.elements:
            known = ", ".join(distribution.elements)
            raise ElementError(f"{label}: element {symbol} is not one of {known}, which {distribution.name} has")
