"""One row of an input file, usable or not."""

from dataclasses import dataclass, field
from typing import Any

from molscore.errors import MolscoreError, ParseError
from molscore.molecules.chem import from_smiles
from molscore.molecules.molecule import Molecule

__all__ = ["Record", "bad_record", "smiles_record"]


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

    @property
    def ok(self) -> bool:
        """Whether there is a molecule or a SMILES string to work with."""
        return self.status == "ok"


def bad_record(
    row: int, error: MolscoreError, columns: dict[str, Any] | None = None, smiles: str | None = None
) -> Record:
    """Record of a row that cannot be used."""
    return Record(row, None, smiles, columns or {}, error.status, str(error))


def smiles_record(row: int, smiles: str, columns: dict[str, Any]) -> Record:
    """Record of a row with a SMILES string and no geometry."""
    try:
        from_smiles(smiles)
    except ParseError as error:
        return bad_record(row, error, columns, smiles)
    return Record(row, None, smiles.strip(), columns)
