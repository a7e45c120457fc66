"""One row of an output file, and how its values are spelled."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from molscore.errors import InputError, ParseError
from molscore.molecules.chem import smiles_of
from molscore.molecules.files.columns import is_smiles_name
from molscore.molecules.files.record import Record
from molscore.molecules.molecule import Molecule

__all__ = ["Row", "as_row", "one_line", "smiles_for", "text_of"]


class Row(NamedTuple):
    """What to write about one molecule."""

    molecule: Molecule | None
    """The geometry, or None where there is none to show."""
    columns: Mapping[str, Any] = {}
    """Everything else, by name, in order."""
    mol: Any = None
    """An RDKit molecule with the bonds of `molecule`, atom for atom, where they are known already."""

    @property
    def name(self) -> str:
        """Name of the molecule, from its geometry or from a column ``name``."""
        held = self.molecule.name if self.molecule is not None else ""
        return held or text_of(self.columns.get("name"))


def as_row(item: Any) -> Row:
    """Row of a `Molecule` (with its properties; a candidate with its numbers and bonds), a `Record`, or a tuple
    (molecule, columns, RDKit molecule)."""
    if isinstance(item, Molecule):
        facts = item.columns() if hasattr(item, "columns") else item.properties
        return Row(item, facts, getattr(item, "mol", None))
    if isinstance(item, Record):
        return Row(item.molecule, item.columns)
    if isinstance(item, tuple) and 1 <= len(item) <= 3 and isinstance(item[0], (Molecule, type(None))):
        return Row(*item)
    raise InputError(f"a {type(item).__name__} is not a row to write: use a Molecule or (Molecule or None, columns)")


def smiles_for(row: Row) -> str | None:
    """SMILES among the columns, else made from the bonds, else None."""
    for name, value in row.columns.items():
        if is_smiles_name(name) and (text := text_of(value).strip()):
            return text
    known = row.mol if row.mol is not None else row.molecule
    if known is None:
        return None
    try:
        return smiles_of(known)
    except ParseError:
        return None


def text_of(value: Any) -> str:
    """A value as text: nothing for None and not-a-number, numbers so that they read back the same, bytes as UTF-8."""
    if value is None or (isinstance(value, (float, np.floating)) and value != value):
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if hasattr(value, "item") and not isinstance(value, (np.generic, np.ndarray)):
        return text_of(value.item())
    return str(value)


def one_line(text: str) -> str:
    """Text with line breaks turned into spaces."""
    return " ".join(text.splitlines()) if text else ""
