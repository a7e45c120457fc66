"""Records of whatever holds molecules: a file, a DataFrame, or an iterable of molecules of any kind."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from molscore.errors import InputError, MolscoreError
from molscore.molecules.chem import smiles_of
from molscore.molecules.convert import as_molecule, as_molecules
from molscore.molecules.files import Record, Scan, format_of, read, scan
from molscore.molecules.files.record import bad_record, record_of, smiles_column_if_any
from molscore.molecules.molecule import Molecule

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["existing", "first_of", "is_frame", "records_of", "reference_molecules", "scan_of"]


def scan_of(source: Any, smiles_column: str | None = None) -> Scan:
    """The rows of a file (a path, or ``-``), a DataFrame with SMILES or geometries, or an iterable of SMILES strings
    and RDKit, PyG, ASE and our molecules. A bad row is a record that says so, but SMILES strings are not looked into;
    anything else is an `InputError`.
    """
    if isinstance(source, (str, os.PathLike)):
        return scan(source, smiles_column)
    if is_frame(source):
        records = _of_frame(source, smiles_column)
    elif isinstance(source, Iterable):
        records = (_of_object(row, item) for row, item in enumerate(source))
    else:
        raise InputError(f"a {type(source).__name__} is not a file, a DataFrame or an iterable of molecules")
    total = len(source) if hasattr(source, "__len__") else None
    return Scan((lambda record=record: record for record in records), total)


def records_of(source: Any, smiles_column: str | None = None) -> Iterator[Record]:
    """One record a row of what `scan_of` takes."""
    return (make() for make in scan_of(source, smiles_column).rows)


def _of_object(row: int, item: Any) -> Record:
    """Record of one molecule; its geometry is kept where it has one, and made later where it has none."""
    if isinstance(item, Record):
        return item
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


def is_frame(source: Any) -> bool:
    """Whether this is a pandas DataFrame, which is not imported to ask."""
    return hasattr(source, "columns") and hasattr(source, "iloc")


def _of_frame(frame: "pd.DataFrame", smiles_column: str | None) -> Iterator[Record]:
    """One record a row, as of a Parquet table: from ``numbers`` (N,) and ``positions`` (3N,) or (N, 3) Å where the row
    has them, else from its SMILES.

    Raises `InputError` at once for a frame with neither kind of column.
    """
    names = [str(name) for name in frame.columns]
    column = smiles_column_if_any(names, smiles_column, "the DataFrame")
    rows = zip(*(frame.iloc[:, place] for place in range(len(names))), strict=True)
    return (record_of(row, dict(zip(names, values, strict=True)), column) for row, values in enumerate(rows))


def reference_molecules(references: Any) -> list[Molecule]:
    """Molecules of a file that `molscore.read` reads, or of any kind; those without a geometry get one.

    Raises `InputError` for a file without molecules, and the error of the first row that is none.
    """
    if not isinstance(references, (str, os.PathLike)) or not _names_a_file(os.fspath(references)):
        return as_molecules(references)
    found = []
    for record in read(references):
        if not record.ok:
            raise InputError(f"{references}: row {record.row}: {record.error}")
        found.append(record.smiles if record.molecule is None else record.molecule)
    if not found:
        raise InputError(f"{references} holds no molecules to be like")
    return as_molecules(found)


def first_of(text: str) -> Molecule | str:
    """The first molecule of a file, ``-`` being standard input; else the text itself, a SMILES string.

    Raises `InputError` for a file that cannot be read or whose first row is no molecule.
    """
    if text != "-" and not _names_a_file(text):
        return text
    record = next(read(text))
    if not record.ok:
        raise InputError(f"{text}: its first row is no molecule: {record.error}")
    if record.molecule is None:
        return record.smiles
    return replace(record.molecule, name=record.molecule.name or text)


def existing(path: str | None) -> str | None:
    """The name of a file of references, as a command was given it; raises `InputError` where it is none."""
    if path is not None:
        format_of(path)
    return path


def _names_a_file(text: str) -> bool:
    try:
        format_of(text)
    except InputError:
        return False
    return True
