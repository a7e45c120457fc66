"""Molecules in whatever holds them, one of any kind, several, a DataFrame or a file: as `Molecule`s, or as records."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from molscore.arguments import check_text, type_of
from molscore.errors import InputError, MolscoreError
from molscore.molecules.ase import from_ase
from molscore.molecules.chem import molecule_from_mol, smiles_of
from molscore.molecules.conformers import embed
from molscore.molecules.files import Record, Scan, format_of, read, scan
from molscore.molecules.files.record import FIRST_ROWS, bad_record, record_of, smiles_column_if_any
from molscore.molecules.molecule import Molecule

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "as_list", "as_molecule", "as_molecules", "each", "first_of", "is_frame", "records_of", "reference_molecules",
    "scan_of",
]  # fmt: skip

_RDKIT, _ASE = ("rdkit", "Mol"), ("ase", "Atoms")
_PYG, _PYG_BATCH = ("torch_geometric", "Data"), ("torch_geometric", "Batch")

Made = TypeVar("Made")


def as_molecule(obj: Any, seed: int = 0) -> Molecule:
    """Molecule of a SMILES string, RDKit ``Mol``, PyG ``Data``, ASE ``Atoms`` or `Molecule`.

    SMILES and an RDKit molecule without conformers get a geometry (ETKDGv3 and MMFF94s, from `seed`); one with a
    conformer keeps it. Raises `InputError` for other types, and what the conversion itself raises.
    """
    if isinstance(obj, Molecule):
        return obj
    kinds = _kinds(obj)
    if isinstance(obj, str) or _RDKIT in kinds:
        if isinstance(obj, str) or not obj.GetNumConformers() or not obj.GetConformer().Is3D():
            return embed(obj, seed=seed)[0]
        return molecule_from_mol(obj)
    if _PYG in kinds:
        from molscore.molecules.pyg import from_pyg

        return from_pyg(obj)
    if _ASE in kinds:
        return from_ase(obj)
    accepted = "a Molecule, a SMILES string, an RDKit Mol, a PyG Data or an ASE Atoms"
    raise InputError(f"{type_of(obj)} is not {accepted}")


def _kinds(obj: Any) -> set[tuple[str, str]]:
    """Home package and name of every class of an object, so that no package is imported just to ask."""
    return {(base.__module__.partition(".")[0], base.__name__) for base in type(obj).__mro__}


def as_list(objs: Any) -> list[Any]:
    """The molecules of a batch or of a DataFrame one by one, whatever they are; one molecule alone is a list of one.

    Raises `InputError` for a DataFrame without molecules, or with a row that is none.
    """
    if is_frame(objs):
        return [_of_row(record) for record in _of_frame(objs, None)]
    kinds = _kinds(objs)
    if kinds & {_PYG, _PYG_BATCH}:
        from molscore.molecules.pyg import separate

        return separate(objs)
    if isinstance(objs, (str, Molecule, Mapping)) or kinds & {_RDKIT, _PYG, _ASE} or not isinstance(objs, Iterable):
        return [objs]
    return list(objs)


def _of_row(record: Record) -> Molecule | str:
    if not record.ok:
        raise InputError(f"the DataFrame: molecules[{record.row}]: {record.error}")
    return record.smiles if record.molecule is None else record.molecule


def each(objs: Any, make: Callable[[Any], Made], called: str = "molecules") -> list[Made]:
    """What `make` makes of each of several molecules, or of one; of several, an error says which: ``molecules[2]``."""
    made = []
    for index, obj in enumerate(as_list(objs)):
        try:
            made.append(make(obj))
        except MolscoreError as error:
            if obj is objs:
                raise
            raise type(error)(f"{called}[{index}]: {str(error).removeprefix('molecule: ')}") from None
    return made


def as_molecules(objs: Any) -> list[Molecule]:
    """Molecules of several objects, or of one. The first that cannot be used is raised, as `each` says."""
    return each(objs, as_molecule)


def scan_of(source: Any, smiles_column: str | None = None) -> Scan:
    """The rows of a file (a path, or ``-``), a DataFrame with SMILES or geometries, or an iterable of SMILES strings
    and RDKit, PyG, ASE and our molecules. A bad row is a record that says so, but SMILES strings are not looked into;
    anything else is an `InputError`.
    """
    if smiles_column is not None:
        check_text("smiles_column", smiles_column, "smiles")
    if isinstance(source, (str, os.PathLike)):
        return scan(source, smiles_column)
    if is_frame(source):
        records = _of_frame(source, smiles_column)
    elif isinstance(source, Iterable) and not isinstance(source, Mapping):
        records = (_of_object(row, item) for row, item in enumerate(source))
    else:
        raise InputError(f"{type_of(source)} is not a file, a DataFrame or an iterable of molecules")
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
    said = {}
    if hasattr(item, "GetNumConformers"):
        with suppress(MolscoreError):  # a geometry is judged whatever its bonds are
            said["smiles"] = smiles_of(item, imines=True)
    return Record(row, molecule, None, said | ({"name": molecule.name} if molecule.name else {}))


def is_frame(source: Any) -> bool:
    """Whether this is a pandas DataFrame, which is not imported to ask."""
    return hasattr(source, "columns") and hasattr(source, "iloc")


def _of_frame(frame: "pd.DataFrame", smiles_column: str | None) -> Iterator[Record]:
    """One record a row, as of a Parquet table: from ``numbers`` (N,) and ``positions`` (3N,) or (N, 3) Å where the row
    has them, else from its SMILES.

    Raises `InputError` at once for a frame with neither kind of column.
    """
    names = [str(name) for name in frame.columns]
    column = smiles_column_if_any(
        names, smiles_column, "the DataFrame", lambda: list(_rows(frame.head(FIRST_ROWS), names))
    )
    return (record_of(row, columns, column) for row, columns in enumerate(_rows(frame, names)))


def _rows(frame: "pd.DataFrame", names: list[str]) -> Iterator[dict[str, Any]]:
    """The values of each row by name."""
    rows = zip(*(frame.iloc[:, place] for place in range(len(names))), strict=True)
    return (dict(zip(names, values, strict=True)) for values in rows)


def reference_molecules(references: Any, make: Callable[[Any], Made]) -> list[Made]:
    """What `make` makes of each molecule of a file that `molscore.read` reads, or of molecules of any kind.

    Raises `InputError` where there are none, and the error of the first that is none or that `make` refuses, with the
    file and the row, or its place in the list.
    """
    if not isinstance(references, (str, os.PathLike)) or not _names_a_file(os.fspath(references)):
        if not (found := each(references, make, "references")):
            raise InputError("there are no references: give a molecule at least")
        return found
    found = []
    for record in read(references):
        where = f"{references}: row {record.row + 1}"
        if not record.ok:
            raise InputError(f"{where}: {record.error}")
        try:
            found.append(make(record.smiles if record.molecule is None else record.molecule))
        except MolscoreError as error:
            raise type(error)(f"{where}: {error}") from None
    if not found:
        raise InputError(f"{references} holds no molecules to be like")
    return found


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


def _names_a_file(text: str) -> bool:
    try:
        format_of(text)
    except InputError:
        return False
    return True
