"""Which molecules a model can judge: neutral closed shells in one piece, of known elements, and of two atoms up to the
largest that its distribution has seen. One rule for every way in: files, SMILES strings and molecules of any kind."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from molscore.errors import (
    ChargeError,
    ElementError,
    FragmentError,
    MolscoreError,
    PositionError,
    RadicalError,
    TooLargeError,
    TooSmallError,
)
from molscore.molecules.batch import element_index
from molscore.molecules.distribution import Distribution
from molscore.molecules.elements import SYMBOLS, check_formula
from molscore.molecules.molecule import Molecule
from molscore.molecules.neighbours import check_geometry

__all__ = ["admissible", "admit", "admit_all", "admit_counts", "check_extent", "element_counts", "validate"]

_MAX_EXTENT = 1000.0  # Å from the middle; no molecule of a model is so large, and squares of more lose all digits


def admit(numbers: Sequence[int] | NDArray[np.integer], distribution: Distribution, label: str = "molecule") -> None:
    """`admit_counts` for atomic numbers (N,)."""
    admit_counts(Counter(SYMBOLS[number] for number in np.asarray(numbers).tolist()), distribution, label)


def admit_counts(counts: Mapping[str, int], distribution: Distribution, label: str = "molecule") -> None:
    """Raise `SizeError` or `ElementError` for atoms of these elements, if the distribution does not cover them."""
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


class Stated(Protocol):
    """What is said of a molecule apart from its geometry: a `Molecule`, or the `Contents` of a graph."""

    counts: Mapping[str, int]
    charge: int
    unpaired: int
    pieces: int


def validate(found: Stated, distribution: Distribution, label: str = "molecule", whole_geometry: bool = False) -> None:
    """Raise the error that says why a model of `distribution` cannot judge a molecule.

    What could be mended comes first: pieces, then size and elements, then charge, unpaired electrons, geometry and
    formula. Of the geometry only the extent is looked at unless `whole_geometry`: a density is of noisy positions, too,
    but a molecule that someone has is in Å and in one piece, and has its hydrogens.
    """
    if found.pieces != 1:
        raise FragmentError(f"{label} is in {found.pieces} pieces: there is no geometry for them together")
    admit_counts(found.counts, distribution, label)
    if found.charge:
        raise ChargeError(f"{label} has a net charge of {found.charge:+d}: the model knows neutral molecules")
    if found.unpaired:
        raise RadicalError(f"{label} has unpaired electrons ({found.unpaired}): the model knows closed shells")
    if isinstance(found, Molecule):
        check_extent(found)
        if whole_geometry:
            check_geometry(found)
    check_formula(found.counts)


def admit_all(molecules: Sequence[Molecule], distribution: Distribution) -> None:
    """`validate` each molecule; the error names the row, from 0."""
    for row, molecule in enumerate(molecules):
        try:
            validate(molecule, distribution, molecule.label)
        except MolscoreError as error:
            raise type(error)(f"row {row}: {error}") from None


def admissible(molecule: Molecule, distribution: Distribution) -> bool:
    """Whether the model can judge a molecule."""
    try:
        admit_all([molecule], distribution)
    except MolscoreError:
        return False
    return True


def check_extent(molecule: Molecule) -> None:
    """Raise `PositionError` for atoms so far apart, or so close, that they are no molecule."""
    centred = molecule.positions - molecule.positions.mean(0)
    extent = float(np.abs(centred).max())
    if extent > _MAX_EXTENT:
        raise PositionError(f"{molecule.label}: atoms lie {extent:.3g} Å from the middle; are the positions in Å?")
    if extent == 0.0:
        raise PositionError(f"{molecule.label}: all atoms lie at one point")


def element_counts(molecules: Sequence[Molecule], elements: Sequence[str]) -> NDArray[np.int64]:
    """Atoms of each of `elements` in each molecule, (M, len(elements))."""
    index = element_index(elements)
    return np.stack([np.bincount(index[m.numbers], minlength=len(elements)) for m in molecules])
