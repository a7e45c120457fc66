"""One row of an input file, usable or not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from molscore.errors import MolscoreError
from molscore.molecules.chem import contents_of, from_smiles
from molscore.molecules.molecule import Molecule
from molscore.molecules.stated import stated

__all__ = ["Make", "Record", "bad_record", "checked", "with_stated"]


@dataclass(frozen=True, slots=True)
class Record:
    """What a file says about one molecule."""

    row: int
    """Position among the rows of the file, from 0."""
    molecule: Molecule | None = None
    """The geometry, where the file gives one with all its hydrogens."""
    smiles: str | None = None
    """The SMILES string as given, or made from the bonds of an SDF record."""
    columns: dict[str, Any] = field(default_factory=dict)
    """The other fields of the row by name, in the order of the file."""
    status: str = "ok"
    """``ok``, or the short reason why the row cannot be used."""
    error: str = ""
    """The reason in words."""
    bonds: NDArray[np.uint16] | None = None
    """``(E, 3)`` bonds between the atoms of `molecule`, where the file gives them: two atoms from 0 and an order."""

    @property
    def ok(self) -> bool:
        """Whether there is a molecule or a SMILES string to work with."""
        return self.status == "ok"


Make = Callable[[], Record]
"""A row as it stands in its file: called, it becomes a record. Rows that are not wanted cost next to nothing so."""


def bad_record(
    row: int, error: MolscoreError, columns: dict[str, Any] | None = None, smiles: str | None = None
) -> Record:
    """Record of a row that cannot be used."""
    return Record(row, None, smiles, columns or {}, error.status, str(error))


def with_stated(molecule: Molecule, smiles: str | None, columns: Mapping[str, Any]) -> Molecule:
    """The molecule with the charge, unpaired electrons and pieces of the SMILES string that is given beside its
    geometry, else with what the columns state of them."""
    try:
        found = contents_of(from_smiles(smiles or ""))
    except MolscoreError:
        return replace(molecule, **stated(columns, molecule.numbers))
    return replace(molecule, charge=found.charge, unpaired=found.unpaired, pieces=found.pieces)


def checked(record: Record) -> Record:
    """The record, or one that says why its SMILES string is no molecule, where it has nothing else."""
    if record.ok and record.molecule is None:
        try:
            from_smiles(record.smiles or "")
        except MolscoreError as error:
            return bad_record(record.row, error, record.columns, record.smiles)
    return record
