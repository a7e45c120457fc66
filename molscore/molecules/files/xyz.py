"""XYZ and extended XYZ: frames of a count, a comment and that many atoms."""

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from molscore.errors import ElementError, MolscoreError, ParseError, TooSmallError
from molscore.molecules.elements import SYMBOLS, atomic_number
from molscore.molecules.files.record import Make, Record, bad_record
from molscore.molecules.files.row import Row, one_line, text_of
from molscore.molecules.files.source import Lines
from molscore.molecules.molecule import Molecule

__all__ = ["scan_xyz", "xyz_frame"]

_COUNT = re.compile(r"\s*\d{1,9}\s*$")
_FIELD = re.compile(r"""(\w[\w:.\-]*)=(?:"([^"]*)"|'([^']*)'|(\S+))""")
_SYMBOL = re.compile(r"([A-Za-z]{1,2})\d*$")
_NO_KEY = re.compile(r"[^\w.\-]|^[.\-]")
_CELL_FIELDS = ("Properties", "Lattice", "pbc")


def scan_xyz(lines: Lines) -> Iterator[Make]:
    """One row for every frame, Å. After a frame with too few or too many atoms, reading goes on at the next count.

    Fields ``key=value`` of an extended comment are columns; a plain comment is the name.
    """
    row = 0
    for line in lines:
        if not line.strip():
            continue
        if not _COUNT.match(line):
            _skip(lines)
            yield partial(bad_record, row, ParseError("there is no atom count at the start of the frame"))
        else:
            yield _frame(row, int(line), lines)
        row += 1


def _frame(row: int, n_atoms: int, lines: Lines) -> Make:
    """The frame whose count has just been read."""
    comment = next(lines, "").strip()
    columns, name, species, position = _comment(comment)
    symbols, positions = [], []
    line = None
    while (line := next(lines, None)) is not None:
        atom = _atom(line, species, position)
        if atom is None or len(symbols) == n_atoms:
            lines.push([line])
            break
        symbols.append(atom[0])
        positions.append(atom[1])
    if len(symbols) < n_atoms or (line is not None and _atom(line, species, position) is not None):
        _skip(lines)
        found = f"only {len(symbols)}" if len(symbols) < n_atoms else "more"
        return partial(bad_record, row, ParseError(f"the frame says {n_atoms} atoms, {found} follow"), columns)
    if n_atoms == 0:
        return partial(bad_record, row, TooSmallError("the frame has no atoms"), columns)
    return partial(_record, row, symbols, positions, name, columns)


def _record(
    row: int, symbols: list[str], positions: list[tuple[float, float, float]], name: str, columns: dict[str, Any]
) -> Record:
    """Record of a frame that is complete."""
    try:
        return Record(row, Molecule([_number(symbol) for symbol in symbols], positions, name), None, columns)
    except MolscoreError as error:
        return bad_record(row, error, columns)


def _skip(lines: Lines) -> None:
    """Drop lines up to the next atom count."""
    for line in lines:
        if _COUNT.match(line):
            lines.push([line])
            return


def _atom(line: str, species: int, position: int) -> tuple[str, tuple[float, float, float]] | None:
    """Symbol and coordinates, or None for a line that is no atom."""
    fields = line.split()
    if len(fields) <= max(species, position + 2) or not (_SYMBOL.match(fields[species]) or fields[species].isdecimal()):
        return None
    try:
        x, y, z = (float(field.replace("*^", "e")) for field in fields[position : position + 3])
    except ValueError:
        return None
    return fields[species], (x, y, z)


def _number(symbol: str) -> int:
    """Atomic number of ``C``, ``c``, ``C12`` or ``6``."""
    if symbol.isdecimal():
        number = int(symbol) if len(symbol) < 4 else 0
        if not 0 < number < len(SYMBOLS):
            raise ElementError(f"{symbol} is not an atomic number")
        return number
    return atomic_number(_SYMBOL.match(symbol).group(1).capitalize())


def _comment(text: str) -> tuple[dict[str, Any], str, int, int]:
    """Columns, name, and the fields in which species and position stand."""
    fields = {key: "".join(values) for key, *values in _FIELD.findall(text)}
    if not fields:
        return ({"name": text} if text else {}), text, 0, 1
    where, offset = {"species": 0, "pos": 1}, 0
    specification = fields.get("Properties", "").split(":")
    for name, width in zip(specification[::3], specification[2::3], strict=False):
        where[name] = offset
        offset += int(width) if width.isdecimal() else 1
    columns = {key: value for key, value in fields.items() if key not in _CELL_FIELDS}
    return columns, fields.get("name", ""), where["species"], where["pos"]


def xyz_frame(row: Row, tags: Mapping[str, Any]) -> str:
    """Text of one frame: positions to eight decimals (Å), columns and `tags` as ``key=value`` in the comment.

    A row without a molecule is a frame of no atoms.
    """
    fields = {**({"name": row.name} if row.name else {}), **row.columns, **tags}
    parts = ["Properties=species:S:1:pos:R:3"]
    parts += [f"{_NO_KEY.sub('_', key)}={_quoted(text_of(value))}" for key, value in fields.items()]
    molecule = row.molecule
    if molecule is None:
        return f"0\n{' '.join(parts)}\n"
    atoms = zip(molecule.symbols, molecule.positions.tolist(), strict=True)
    body = "".join(f"{symbol:<2} {x:16.8f} {y:16.8f} {z:16.8f}\n" for symbol, (x, y, z) in atoms)
    return f"{molecule.n_atoms}\n{' '.join(parts)}\n{body}"


def _quoted(value: str) -> str:
    """A value as extended XYZ spells it."""
    value = one_line(value).replace('"', "'")
    return value if re.fullmatch(r"[\w.+\-]+", value) else f'"{value}"'
