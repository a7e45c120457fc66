"""Records of whatever holds a library: a file, a DataFrame, or an iterable of molecules."""

import os
from collections.abc import Iterable, Iterator
from typing import Any

from molscore.errors import InputError, MolscoreError
from molscore.molecules.chem import smiles_of
from molscore.molecules.convert import as_molecule
from molscore.molecules.files import Record, scan
from molscore.molecules.files.record import bad_record
from molscore.molecules.molecule import Molecule
from molscore.screening.frames import is_frame, records_of_frame

__all__ = ["records_of"]


def records_of(source: Any, smiles_column: str | None = None) -> Iterator[Record]:
    """One record a row: of a file (a path, or ``-``), a DataFrame with SMILES or geometries, or an iterable of SMILES
    strings and RDKit, PyG, ASE and our molecules. A bad row is a record that says so, but SMILES strings are not looked
    into; anything else is an `InputError`.
    """
    if isinstance(source, (str, os.PathLike)):
        return (make() for make in scan(source, smiles_column).rows)
    if is_frame(source):
        return records_of_frame(source, smiles_column)
    if not isinstance(source, Iterable):
        raise InputError(f"a {type(source).__name__} is not a file, a DataFrame or an iterable of molecules")
    return (_of_object(row, item) for row, item in enumerate(source))


def _of_object(row: int, item: Any) -> Record:
    """Record of one molecule; its geometry is kept where it has one, and made later where it has none."""
    if isinstance(item, Record):
        return item
    if isinstance(item, Molecule):
        return Record(row, item, None, {"name": item.name} if item.name else {})
    if isinstance(item, str):
        return Record(row, None, item.strip(), {"smiles": item})
    try:
        if hasattr(item, "GetNumConformers") and not (item.GetNumConformers() and item.GetConformer().Is3D()):
            smiles = smiles_of(item, imines=True)
            return Record(row, None, smiles, {"smiles": smiles})
        molecule = as_molecule(item)
    except MolscoreError as error:
        return bad_record(row, error)
    return Record(row, molecule, None, {"name": molecule.name} if molecule.name else {})
