"""One row of a file: a `Record` that was read, usable or not, or a `Row` to be written; how values are spelled."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from molscore.arguments import type_of
from molscore.errors import InputError, MolscoreError, ParseError, PositionError
from molscore.molecules.ase import charge_and_spin
from molscore.molecules.chem import (
    bonds_over,
    contents_of,
    from_smiles,
    mol_from_molecule,
    smiles_of,
    without_hydrogens,
)
from molscore.molecules.molecule import Molecule

__all__ = [
    "FIRST_ROWS", "GEOMETRY", "INPUT_SMILES", "Make", "Record", "Row", "as_row", "bad_record", "checked", "counted",
    "geometry_of", "is_smiles", "is_smiles_name", "label_of", "misread", "of_geometry", "one_line", "record_of",
    "smiles_among", "smiles_column", "smiles_column_if_any", "smiles_for", "text_of", "with_smiles_of",
]  # fmt: skip

GEOMETRY = ("numbers", "positions")
"""Columns of a table with the atomic numbers (N,) and the positions, (3N,) or (N, 3) Å, of each row."""
FIRST_ROWS = 50  # of a table, which are looked into for a column of SMILES where no name says which it is
_SMILES = (
    "smiles", "canonical_smiles", "isomeric_smiles", "can_smiles", "smiles_string", "input_smiles", "molecule_smiles",
    "smi",
)  # fmt: skip
INPUT_SMILES = "input_smiles"
"""What a column of SMILES is called where it is of another molecule than the geometry or the bonds of its row."""
_FEW, _NEARLY_ALL = 3, 0.9  # rows that do not parse: so many, and this share, tell of a wrong column


@dataclass(frozen=True, slots=True)
class Record:
    """What a file says about one molecule."""

    row: int  # position among the rows of the file, from 0
    molecule: Molecule | None = None  # the geometry, where the file gives one with all its hydrogens
    smiles: str | None = None  # the SMILES string as given, or made from the bonds of an SDF record
    # the other fields of the row by name, in the order of the file
    columns: dict[str, Any] = field(default_factory=dict)
    status: str = "ok"  # ok, or the short reason why the row cannot be used
    error: str = ""  # the reason in words
    # (E, 3) bonds between the atoms of `molecule`, where the file gives them: two atoms from 0 and an order
    bonds: NDArray[np.uint16] | None = None
    lacks_hydrogens: bool = False  # whether the file gives 3D positions that are of no use, as hydrogens have none
    other_smiles: str = ""  # the SMILES string of the row where it is of another molecule than its geometry or bonds

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


def checked(record: Record) -> Record:
    """The record, or one that says why its SMILES string is no molecule, where it has nothing else."""
    if record.ok and record.molecule is None:
        try:
            from_smiles(record.smiles or "")
        except MolscoreError as error:
            return bad_record(record.row, error, record.columns, record.smiles)
    return record


def label_of(record: Record) -> str:
    """What a row is found by in its file: its name, else its SMILES string; empty where it has neither."""
    return one_line(text_of(record.columns.get("name")) or record.smiles or smiles_among(record.columns) or "")


def is_smiles_name(name: str) -> bool:
    """Whether a column of this name holds SMILES strings, by custom."""
    return _plain(name) in _SMILES


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_")


def smiles_column(
    names: Sequence[str], wanted: str | None, source: str, first: Callable[[], Sequence[Mapping[str, Any]]] = list
) -> str:
    """Name of the SMILES column: the one asked for, else the most usual name present, whatever its case, else the only
    column in which most of the `first` rows have a SMILES string that parses.

    Raises `InputError` that lists the columns there are.
    """
    if wanted is not None:
        matches = [name for name in names if name == wanted] or [n for n in names if n.lower() == wanted.lower()]
        if len(matches) == 1:
            return matches[0]
        problem = f"no column {wanted!r}"
    else:
        usual = {_plain(name): name for name in reversed(names)}
        if found := next((usual[name] for name in _SMILES if name in usual), None):
            return found
        problem = "no column of SMILES found"
        if any(map(is_smiles, names)):
            problem += ", and its first line looks like a row; begin with a header such as smiles,name"
        else:
            held = [name for name in _columns_of_smiles(first()) if not _parses(name)]
            if len(held) == 1:
                return held[0]
            problem = f"SMILES in {len(held)} columns, {', '.join(held)}" if held else problem
            problem += "; say which is meant with -s (in Python smiles_column)"
    listed = ", ".join(names[:50]) + (" …" if len(names) > 50 else "")
    raise InputError(f"{source}: {problem}; its columns are {listed or 'none'}")


def smiles_column_if_any(
    names: Sequence[str], wanted: str | None, source: str, first: Callable[[], Sequence[Mapping[str, Any]]] = list
) -> str | None:
    """`smiles_column`, or None for a table that has the columns `GEOMETRY` and none of SMILES."""
    if wanted is None and set(GEOMETRY) <= set(names) and not any(map(is_smiles_name, names)):
        return None
    return smiles_column(names, wanted, source, first)


def misread(unparsable: Sequence[Mapping[str, Any]], n_unparsable: int, n: int) -> str:
    """What to say where SMILES strings of nearly all of `n` rows do not parse: which column has such, if one has.

    `unparsable` are some of these rows. Empty where they are few among the others: bad rows, and no wrong column.
    """
    if n_unparsable < max(_FEW, _NEARLY_ALL * n):
        return ""
    said = f"{n_unparsable} of {n} rows have no SMILES string that parses"
    if held := _columns_of_smiles(unparsable):
        return f"{said}, but the column {held[0]!r} has such: -s {shlex.quote(held[0])}, or in a .smi file put it first"
    return f"{said}, in whatever column: is this a table of SMILES?"


def _columns_of_smiles(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Columns in which most of the rows have a SMILES string that parses, first those in which more have."""
    names = dict.fromkeys(name for row in rows for name in row)
    parsed = {name: sum(is_smiles(row.get(name)) for row in rows) for name in names}
    return sorted((name for name in names if 2 * parsed[name] > len(rows)), key=parsed.__getitem__, reverse=True)


def is_smiles(value: Any) -> bool:
    """Whether it is the SMILES string of a molecule with a bond: a single letter says nothing."""
    try:
        return isinstance(value, str) and from_smiles(value).GetNumBonds() > 0
    except MolscoreError:
        return False


def _parses(text: str) -> bool:
    try:
        return from_smiles(text) is not None
    except MolscoreError:
        return False


def record_of(row: int, columns: dict[str, Any], smiles_column: str | None) -> Record:
    """Record of a row of a table: its geometry if it has one, else its SMILES string."""
    found = columns.get(smiles_column)
    smiles = text_of(found).strip() if isinstance(found, (str, bytes)) else None
    try:
        molecule = geometry_of(columns)
    except MolscoreError as error:
        return bad_record(row, error, columns)
    if molecule is not None:
        return of_geometry(row, molecule, smiles or None, columns, _bonds(columns.get("bonds")))
    if smiles is None:
        return bad_record(row, ParseError("the row has neither a geometry nor a SMILES string"), columns)
    return Record(row, None, smiles, columns)


def _bonds(flat: Any) -> NDArray[np.uint16] | None:
    """Bonds ``(E, 3)`` of a flat list of two atoms and an order each, or None for anything else."""
    if not isinstance(flat, list) or not flat or len(flat) % 3 or not all(isinstance(value, int) for value in flat):
        return None
    return np.array(flat, dtype=np.uint16).reshape(-1, 3) if min(flat) >= 0 and max(flat) < 2**16 else None


def of_geometry(
    row: int,
    molecule: Molecule,
    smiles: str | None,
    columns: dict[str, Any],
    bonds: NDArray[np.uint16] | None = None,
) -> Record:
    """Record of a row with a geometry, and with the charge, unpaired electrons and pieces of its SMILES string.

    A string of another molecule counts for nothing: as in an SDF, the structure does, see `with_smiles_of`.
    """
    said, fits, structure = None, smiles is None or bonds is not None, None
    with suppress(MolscoreError):
        said = contents_of(from_smiles(smiles or ""))
        fits = fits or bonds_over(smiles, molecule) is not None
    if not fits:
        with suppress(MolscoreError):
            structure = smiles_of(mol_from_molecule(molecule))
        same_atoms = said is not None and said.counts == molecule.counts  # all there is to go by without bonds
        if not (same_atoms if structure is None else _says(smiles, structure)):
            return Record(row, molecule, structure, with_smiles_of(structure, columns), other_smiles=smiles)
    if said is not None:
        molecule = replace(molecule, charge=said.charge, unpaired=said.unpaired, pieces=said.pieces)
    return Record(row, molecule, smiles, columns, bonds=bonds)


def geometry_of(columns: Mapping[str, Any]) -> Molecule | None:
    """The molecule of the columns `GEOMETRY` of a row, None where one of them is empty, with what the columns state of
    its charge and unpaired electrons.

    Raises `PositionError` for positions that do not fit, and as `Molecule` does.
    """
    numbers, positions = (columns.get(name) for name in GEOMETRY)
    if any(not hasattr(value, "__len__") and not isinstance(value, int) for value in (numbers, positions)):
        return None  # None, NaN and NA
    try:
        numbers, flat = np.asarray(numbers), np.asarray([np.asarray(x, dtype=np.float64) for x in positions])
    except (TypeError, ValueError):
        raise PositionError("numbers and positions are not lists of numbers") from None
    if flat.size != 3 * numbers.size or (flat.ndim > 1 and flat.shape[1:] != (3,)):
        raise PositionError(f"{numbers.size} atoms have {flat.size} coordinates, not {3 * numbers.size}")
    name = columns.get("name")
    molecule = Molecule(numbers, flat.reshape(-1, 3), name if isinstance(name, str) else "")
    return replace(molecule, **charge_and_spin(columns, molecule.numbers))


class Row(NamedTuple):
    """What to write about one molecule."""

    molecule: Molecule | None  # the geometry, or None where there is none to show
    columns: Mapping[str, Any] = {}  # everything else, by name, in order
    mol: Any = None  # an RDKit molecule with the bonds of `molecule`, atom for atom, where they are known already

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
    raise InputError(f"{type_of(item)} is not a row to write: use a Molecule or (Molecule or None, columns)")


def smiles_among(columns: Mapping[str, Any]) -> str | None:
    """The SMILES string among the columns of a row, that of the most usual name, if there is one."""
    usual = sorted(filter(is_smiles_name, columns), key=lambda name: _SMILES.index(_plain(name)))
    return next(filter(None, (text_of(columns[name]).strip() for name in usual)), None)


def with_smiles_of(structure: str | None, columns: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a record, and the SMILES string of its `structure` unless `smiles_among` them is that molecule's.

    It is called ``smiles``, however it was spelled; one of another molecule becomes `INPUT_SMILES`.
    """
    said = smiles_among(columns)
    agrees = None not in (said, structure) and _says(said, structure)
    found: dict[str, Any] = {}
    for name, value in columns.items():
        if _plain(name) == "smiles":
            if not text_of(value).strip():
                continue
            name = "smiles" if agrees else INPUT_SMILES
            while name in found or (name != "smiles" and name in columns):
                name = f"input_{name}"
        found[name] = value
    return found if agrees or structure is None else {**found, "smiles": structure}


def _says(smiles: str, structure: str) -> bool:
    """Whether a SMILES string is of the molecule of another, whose stereochemistry may be more; atom maps aside."""
    if smiles == structure:
        return True
    try:
        graphs = [without_hydrogens(from_smiles(smiles))]
        if smiles_of(graphs[0]) == structure:
            return True
        graphs.append(without_hydrogens(from_smiles(structure)))
        for atom in (atom for graph in graphs for atom in graph.GetAtoms()):
            atom.SetAtomMapNum(0)
        same = len({smiles_of(graph, stereo=False) for graph in graphs}) == 1
    except MolscoreError:
        return False
    return same and graphs[1].HasSubstructMatch(graphs[0], useChirality=True)


def smiles_for(row: Row) -> str | None:
    """SMILES of the bonds where they are known, else among the columns, else of the geometry's bonds, else None."""
    try:
        if row.mol is not None:
            return smiles_of(row.mol)
        return smiles_among(row.columns) or (None if row.molecule is None else smiles_of(row.molecule))
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


def counted(n: int, noun: str, plural: str = "") -> str:
    """How many there are of something: ``1 row``, ``2 rows``."""
    return f"{n} {noun if n == 1 else plural or f'{noun}s'}"


def one_line(text: str) -> str:
    """Text with line breaks turned into spaces."""
    return " ".join(text.splitlines())
