"""Tables of SMILES as text: CSV, and files of one SMILES string a line.

CSV is read row by row by the csv module: to pyarrow's reader, `invalid_row_handler` or not, a stray quote is the rest
of the file, and here it costs its own row alone.
"""

import csv
from collections.abc import Iterator
from functools import partial

from molscore.errors import InputError, ParseError
from molscore.molecules.files.record import Make, Record, bad_record, is_smiles_name, smiles_column
from molscore.molecules.files.source import Lines

__all__ = ["header_of", "scan_csv", "scan_smiles", "unique_names"]

csv.field_size_limit(2**31 - 1)  # of its own the module refuses cells of more than 131,072 characters, read or written

_DELIMITERS = ",;\t"
_MAX_LINES_A_ROW = 64


def scan_smiles(lines: Lines) -> Iterator[Make]:
    """One row for every line that is not blank, the name after the first space; a first line ``smiles`` is a header.

    A CXSMILES extension between bars belongs to the SMILES.
    """
    row = 0
    for line in lines:
        smiles, _, name = line.strip().replace("\t", " ").partition(" ")
        if not smiles or (row == 0 and is_smiles_name(smiles)):
            continue
        if (name := name.strip()).startswith("|") and "|" in name[1:]:
            extension, _, name = name[1:].partition("|")
            smiles = f"{smiles} |{extension}|"
        yield partial(Record, row, None, smiles, {"smiles": smiles, "name": name.strip()})
        row += 1


def header_of(line: str, wanted: str | None, source: str) -> tuple[list[str], str, str]:
    """Column names, the name of the SMILES column, and the delimiter under which there is one.

    Raises `InputError` that lists the columns there are.
    """
    errors = []
    for delimiter in _DELIMITERS:
        try:
            names = unique_names(next(csv.reader([line], delimiter=delimiter), []))
            return names, smiles_column(names, wanted, source), delimiter
        except (InputError, csv.Error) as error:
            errors.append(error)
    raise InputError(str(errors[0]))


def unique_names(names: list[str]) -> list[str]:
    """Header with blank names filled in and repeated ones numbered, as pandas does: ``a, a.1``."""
    unique: dict[str, None] = {}
    for index, name in enumerate(names):
        base = candidate = name.strip() or f"column_{index}"
        copy = 0
        while candidate in unique:
            copy += 1
            candidate = f"{base}.{copy}"
        unique[candidate] = None
    return list(unique)


def scan_csv(lines: Lines, wanted: str | None, source: str) -> Iterator[Make]:
    """One row for every row under the header; raises `InputError` at once without a column of SMILES."""
    header = next(line for line in lines if line.strip())
    names, column, delimiter = header_of(header, wanted, source)
    return _rows(lines, names, column, delimiter)


def _rows(lines: Lines, names: list[str], column: str, delimiter: str) -> Iterator[Make]:
    for row, (fields, problem) in enumerate(_fields(lines, len(names), delimiter)):
        columns = dict.fromkeys(names, "") | dict(zip(names, fields, strict=False))
        if problem:
            yield partial(bad_record, row, ParseError(problem), columns)
        else:
            yield partial(Record, row, None, columns[column].strip(), columns)


def _fields(lines: Lines, width: int, delimiter: str) -> Iterator[tuple[list[str], str]]:
    """Fields of each row, and what is wrong with it.

    A quoted field may run over several lines; if that does not end in a row of the right width, the quote was a stray
    one: its own line is a bad row, and reading goes on with the line after it.
    """
    while True:
        taken: list[str] = []
        fields, closed = _next_row(lines, taken, delimiter)
        if not taken:
            return
        if not "".join(taken).strip():
            continue
        if len(taken) > 1 and not (closed and len(fields) == width):
            lines.push(taken[1:])
            fields, closed = taken[0].strip().split(delimiter), False
        problem = "" if len(fields) == width else f"the row has {len(fields)} fields, the header {width}"
        yield fields, problem if closed else "an opening quote is never closed"


def _next_row(lines: Lines, taken: list[str], delimiter: str) -> tuple[list[str], bool]:
    """Fields of the next row and whether its quotes are closed; the lines used are appended to `taken`."""
    closed = True

    def feed() -> Iterator[str]:
        nonlocal closed
        while len(taken) < _MAX_LINES_A_ROW and (line := next(lines, None)) is not None:
            taken.append(line)
            yield line
        closed = not taken

    try:
        return next(csv.reader(feed(), delimiter=delimiter), []), closed
    except csv.Error:
        return taken[-1].strip().split(delimiter), False
