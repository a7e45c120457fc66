"""CSV files, read row by row so that a stray quote or a short row costs that row alone."""

import csv
from collections.abc import Iterator
from functools import partial

from molscore.errors import InputError, ParseError
from molscore.molecules.files.columns import smiles_column, unique_names
from molscore.molecules.files.record import Make, Record, bad_record
from molscore.molecules.files.source import Lines

__all__ = ["header_of", "scan_csv"]

_DELIMITERS = ",;\t"
_MAX_LINES_A_ROW = 64


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


def scan_csv(lines: Lines, wanted: str | None, source: str) -> Iterator[Make]:
    """One row for every row under the header; raises `InputError` at once without a column of SMILES."""
    header = next(line for line in lines if line.strip())
    names, column, delimiter = header_of(header, wanted, source)
    return _rows(lines, names, column, delimiter)


def _rows(lines: Lines, names: list[str], column: str, delimiter: str) -> Iterator[Make]:
    index = names.index(column)
    for row, (fields, problem) in enumerate(_fields(lines, len(names), delimiter)):
        padded = (fields + [""] * len(names))[: len(names)]
        columns = dict(zip(names, padded, strict=True))
        if problem:
            yield partial(bad_record, row, ParseError(problem), columns)
        else:
            yield partial(Record, row, None, padded[index].strip(), columns)


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
            yield taken[0].strip().split(delimiter), "an opening quote is never closed"
        elif not closed:
            yield fields, "an opening quote is never closed"
        elif len(fields) != width:
            yield fields, f"the row has {len(fields)} fields, the header {width}"
        else:
            yield fields, ""


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
