"""XYZ and extended XYZ: frames of a count, a comment and that many atoms.

The text is ours to read: ASE's reader ends at the first bad frame, turns values into numbers of its own, and knows
neither labels such as C12 or D, nor exponents of Fortran, nor raw QM9. ASE mends what a periodic box has cut.
"""

import math
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from molscore.errors import ElementError, MolscoreError, ParseError, TooSmallError
from molscore.molecules.ase import charge_and_spin, unwrapped
from molscore.molecules.elements import atomic_number, symbol_of
from molscore.molecules.files.record import (
    Make,
    Record,
    Row,
    bad_record,
    is_smiles,
    of_geometry,
    one_line,
    smiles_among,
    text_of,
)
from molscore.molecules.files.text import Lines
from molscore.molecules.molecule import Molecule

__all__ = ["scan_xyz", "xyz_frame"]

_COUNT = re.compile(r"\s*\d{1,9}\s*$")
_SEPARATOR = re.compile(r"\W*$")  # blank, or such as the ">" of ORCA
_FIELD = re.compile(r"""(\w[\w:.\-]*)=(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S+))""")
_ESCAPED = re.compile(r"""\\(["\\])""")
_SYMBOL = re.compile(r"([A-Za-z]{1,2})\d*$")
_EXPONENT = re.compile(r"\*\^|[dD]")  # as Mathematica and Fortran write it
_NO_KEY = re.compile(r"[^\w.\-]|^[.\-]")
_CELL_FIELDS = ("Properties", "Lattice", "pbc")
_SPECIES = ("species", "symbols", "symbol", "element", "elements", "z", "numbers", "atomic_numbers")
_POSITIONS = ("pos", "positions")
_ISOTOPES = {"D": "H", "T": "H"}
_QM9 = re.compile(r"gdb\s+(\d+)\s*(.*)$")
_QM9_LINES = 3  # frequencies, SMILES, InChI
_NOWHERE = 1_000_000  # no line has so many fields

Atom = tuple[str, tuple[float, float, float]]


def scan_xyz(lines: Lines) -> Iterator[Make]:
    """One row for every frame, Å. After a frame with too few or too many atoms, reading goes on at the next count.

    Fields ``key=value`` of an extended comment are columns; a plain comment is the name. Frames of raw QM9 give the
    SMILES string of the relaxed geometry as well. A molecule that the walls of a ``Lattice`` cut is put together.
    """
    row = 0
    for line in lines:
        if _SEPARATOR.match(line):
            continue
        if not _COUNT.match(line):
            _to_next_count(lines)
            yield partial(bad_record, row, ParseError("there is no atom count at the start of the frame"))
        else:
            yield _frame(row, int(line), lines)
        row += 1


def _frame(row: int, n_atoms: int, lines: Lines) -> Make:
    """The frame whose count has just been read."""
    comment = next(lines, "").strip()
    fields = {key: _ESCAPED.sub(r"\1", quoted) or plain or bare for key, quoted, plain, bare in _FIELD.findall(comment)}
    columns: dict[str, Any] = {key: value for key, value in fields.items() if key not in _CELL_FIELDS}
    if comment and (not fields or is_smiles(comment)):
        columns = {"name": comment}
    species, position = _places(fields.get("Properties", ""))
    atoms: list[Atom] = []
    for line in lines:
        atom = _atom(line, species, position)
        if atom is None or len(atoms) == n_atoms:
            lines.push([line])
            break
        atoms.append(atom)
    else:
        atom = None
    if len(atoms) < n_atoms or atom is not None:
        _to_next_count(lines)
        found = f"only {len(atoms)}" if len(atoms) < n_atoms else "more"
        return partial(bad_record, row, ParseError(f"the frame says {n_atoms} atoms, {found} follow"), columns)
    if qm9 := _QM9.match(comment):
        columns = {"name": f"gdb_{qm9[1]}", "properties": " ".join(qm9[2].split()), **_qm9_smiles(lines)}
    if n_atoms == 0:
        if smiles := smiles_among(columns):
            return partial(Record, row, None, smiles, columns)
        return partial(bad_record, row, TooSmallError("the frame has no atoms"), columns)
    return partial(_record, row, atoms, columns, fields)


def _places(specification: str) -> tuple[int, int]:
    """The fields at which species and position stand in the line of an atom: ``species:S:1:pos:R:3`` says 0 and 1."""
    parts = specification.split(":")
    if not parts[0]:
        return 0, 1
    where, offset = {}, 0
    for name, width in zip(parts[::3], parts[2::3], strict=False):
        where[name.lower()] = offset
        offset += int(width) if width.isdecimal() else 1
    first = [next((where[name] for name in names if name in where), _NOWHERE) for names in (_SPECIES, _POSITIONS)]
    return first[0], first[1]


def _atom(line: str, species: int, position: int) -> Atom | None:
    """Symbol and coordinates, or None for a line that is no atom."""
    fields = line.split()
    if len(fields) <= max(species, position + 2) or not (_SYMBOL.match(fields[species]) or fields[species].isdecimal()):
        return None
    try:
        x, y, z = (float(_EXPONENT.sub("e", field)) for field in fields[position : position + 3])
    except ValueError:
        return None
    return fields[species], (x, y, z)


def _record(row: int, atoms: list[Atom], columns: dict[str, Any], fields: dict[str, str]) -> Record:
    """Record of a frame that is complete."""
    try:
        numbers = [_number(symbol) for symbol, _ in atoms]
        positions = [place for _, place in atoms]
        molecule = Molecule(numbers, positions, columns.get("name", ""), **charge_and_spin(columns, numbers))
        if "Lattice" in fields:
            molecule = unwrapped(molecule, *_box(fields))
        return of_geometry(row, molecule, smiles_among(columns), columns)
    except MolscoreError as error:
        return bad_record(row, error, columns)


def _number(symbol: str) -> int:
    """Atomic number of ``C``, ``c``, ``C12``, ``6``, or ``D``."""
    if not symbol.isdecimal():
        letters = _SYMBOL.match(symbol).group(1).capitalize()
        return atomic_number(_ISOTOPES.get(letters, letters))
    if len(symbol) > 3:
        raise ElementError(f"{symbol} is not an atomic number")
    symbol_of(int(symbol))
    return int(symbol)


def _box(fields: dict[str, str]) -> tuple[list[list[float]], list[bool]]:
    """The three vectors of a box in Å, and along which of them it is periodic: all, where the frame does not say."""
    try:
        x = [float(value) for value in fields["Lattice"].split()]
        periodic = [flag[0] in "Tt1" for flag in fields.get("pbc", "T T T").replace(",", " ").split()]
    except ValueError:
        x, periodic = [], []
    if len(x) != 9 or len(periodic) != 3 or not all(map(math.isfinite, x)):
        raise ParseError("the Lattice is not nine numbers, or its pbc not three of T and F")
    return [x[0:3], x[3:6], x[6:9]], periodic


def _qm9_smiles(lines: Lines) -> dict[str, str]:
    """SMILES of the relaxed geometry from the lines that follow the atoms in a file of raw QM9."""
    taken: list[str] = []
    while len(taken) < _QM9_LINES and (line := next(lines, None)) is not None:
        if _COUNT.match(line):
            lines.push([line])
            break
        taken.append(line)
    fields = taken[1].split() if len(taken) == _QM9_LINES else []
    return {"smiles": fields[-1]} if fields else {}


def _to_next_count(lines: Lines) -> None:
    """Drop lines up to the next atom count."""
    for line in lines:
        if _COUNT.match(line):
            lines.push([line])
            return


def xyz_frame(row: Row, tags: Mapping[str, Any]) -> str:
    """Text of one frame: positions to eight decimals (Å), columns and `tags` as ``key=value`` in the comment.

    Blank ones are left out, for ASE takes the field after an empty one for its value. A row without a molecule is a
    frame of no atoms.
    """
    fields = {**({"name": row.name} if row.name else {}), **row.columns, **tags}
    spelled = {_key(name): one_line(text_of(value)) for name, value in fields.items()}
    parts = [f"{key}={_quoted(value)}" for key, value in spelled.items() if value.strip()]
    comment = " ".join(["Properties=species:S:1:pos:R:3", *parts])
    if row.molecule is None:
        return f"0\n{comment}\n"
    atoms = zip(row.molecule.symbols, row.molecule.positions.tolist(), strict=True)
    body = "".join(f"{symbol:<2} {x:16.8f} {y:16.8f} {z:16.8f}\n" for symbol, (x, y, z) in atoms)
    return f"{row.molecule.n_atoms}\n{comment}\n{body}"


def _key(name: str) -> str:
    """A name as extended XYZ spells it."""
    key = _NO_KEY.sub("_", name)
    return f"{key}_" if key in _CELL_FIELDS else key


def _quoted(value: str) -> str:
    """A value as extended XYZ spells it."""
    if re.fullmatch(r"[\w.+\-]+", value):
        return value
    return '"{}"'.format(value.replace("\\", "\\\\").replace('"', "'"))
