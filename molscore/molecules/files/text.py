"""Text: lines plain or gzipped, in UTF-8, UTF-16 or Windows-1252; tables of SMILES in them, read and written.

CSV is read row by row by the csv module: to pyarrow's reader, `invalid_row_handler` or not, a stray quote is the rest
of the file, and here it costs its own row alone.
"""

import codecs
import csv
import gzip
import io
import os
import sys
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from molscore.errors import InputError, OutputError, ParseError
from molscore.molecules.atomic import reason_of, text_file
from molscore.molecules.files.record import (
    FIRST_ROWS,
    Make,
    Record,
    Row,
    bad_record,
    counted,
    is_smiles_name,
    smiles_column,
    smiles_for,
    text_of,
)

__all__ = ["Lines", "header_of", "open_lines", "scan_csv", "scan_smiles", "unique_names", "write_csv"]

csv.field_size_limit(2**31 - 1)  # of its own the module refuses cells of more than 131,072 characters, read or written

_DELIMITERS = ",;\t"
_MAX_LINES_A_ROW = 64
_GZIP = b"\x1f\x8b"
_REFUSED = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
    b"BZh": "packed with bzip2",
    b"\xfd7zXZ": "packed with xz",
    b"\x28\xb5\x2f\xfd": "packed with zstd",
    b"PAR1": "a Parquet table, whose name should end in .parquet",
}
_LONGEST_MAGIC = max(map(len, _REFUSED))
_ELSE_1252 = "molscore-windows-1252"

codecs.register_error(
    _ELSE_1252, lambda error: (error.object[error.start : error.end].decode("cp1252", "replace"), error.end)
)


class Lines(Iterator[str]):
    """Lines with their endings; lines can be pushed back to be read again.

    `share` says how much of the source has been read, 0 to 1, or None where that is not known.
    """

    def __init__(self, source: Iterable[str], share: Callable[[], float | None] = lambda: None) -> None:
        self._source, self.share = iter(source), share
        self._pending: deque[str] = deque()

    def __next__(self) -> str:
        return self._pending.popleft() if self._pending else next(self._source)

    def push(self, lines: Iterable[str]) -> None:
        """Put lines back, the first of them to come next."""
        self._pending.extendleft(reversed(list(lines)))


def open_lines(path: str) -> Lines:
    """Lines of a text file, ``-`` being standard input; raises `InputError` when it is unreadable or blank.

    The first bytes tell whether it is gzipped and whether it is UTF-16, as Excel saves it. Else it is UTF-8, and bytes
    that are not are taken for Windows-1252, which is Latin-1 and more.
    """
    raw: BinaryIO | None = None
    if path != "-":
        try:
            raw = open(path, "rb")  # noqa: SIM115 (closed after its last line)
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({reason_of(error)})") from None
    size = 0 if raw is None else os.fstat(raw.fileno()).st_size

    def share() -> float | None:
        return None if not size else 1.0 if raw.closed else min(1.0, raw.tell() / size)

    lines = Lines(_decoded(sys.stdin.buffer, path, False) if raw is None else _decoded(raw, path, True), share)
    head = []
    for line in lines:
        head.append(line)
        if line.strip():
            lines.push(head)
            return lines
    raise InputError(f"{'standard input' if path == '-' else path} is empty")


def _decoded(source: BinaryIO, path: str, close: bool) -> Iterator[str]:
    """Lines of bytes, which are unpacked first where they are gzipped; standard input is left open."""
    try:
        binary = io.BufferedReader(source)
        head = binary.peek(_LONGEST_MAGIC)
        for magic, kind in _REFUSED.items():
            if head.startswith(magic):
                raise InputError(f"{getattr(source, 'name', 'the input')} is {kind}: unpack it, or save it as CSV")
        unpacked = gzip.GzipFile(fileobj=binary) if head.startswith(_GZIP) else binary
        wide = unpacked.peek(2)[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        text = io.TextIOWrapper(
            unpacked, newline="", encoding="utf-16" if wide else "utf-8-sig", errors="replace" if wide else _ELSE_1252
        )
        yield from text
        text.detach()
        binary.detach()
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({reason_of(error)})") from None
    finally:
        if close:
            source.close()


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


def header_of(
    line: str, wanted: str | None, source: str, first: Callable[[], Sequence[str]] = tuple
) -> tuple[list[str], str, str]:
    """Column names, the name of the SMILES column, and the delimiter under which there is one.

    The `first` lines after the header tell where no name does. Raises `InputError` that lists the columns there are.
    """
    errors: dict[InputError | csv.Error, int] = {}
    for delimiter in _DELIMITERS:
        names: list[str] = []
        try:
            names = unique_names(next(csv.reader([line], delimiter=delimiter), []))
            return names, smiles_column(names, wanted, source, partial(_named, names, first, delimiter)), delimiter
        except (InputError, csv.Error) as error:
            errors[error] = len(names)
    raise InputError(str(max(errors, key=errors.__getitem__)))  # of the delimiter that there is


def _named(names: list[str], first: Callable[[], Sequence[str]], delimiter: str) -> list[dict[str, str]]:
    return [dict(zip(names, fields, strict=False)) for fields in csv.reader(first(), delimiter=delimiter)]


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

    def first() -> list[str]:
        rows = list(islice(lines, FIRST_ROWS))
        lines.push(rows)
        return rows

    names, column, delimiter = header_of(header, wanted, source, first)
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
        problem = "" if len(fields) == width else f"the row has {counted(len(fields), 'field')}, the header {width}"
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


def write_csv(fresh: Path, rows: Iterable[Row], zipped: bool = False, delimiter: str = ",") -> int:
    """A table whose header holds every column that any row has, in order of appearance."""
    draft = fresh.with_name(f"{fresh.name}.draft")
    names: dict[str, None] = {}
    count = 0
    try:
        with text_file(draft) as stream:
            writer = csv.writer(stream, lineterminator="\n")
            for row in rows:
                values = _csv_values(row)
                names.update(dict.fromkeys(values))
                writer.writerow([_csv_text(values.get(name)) for name in names])
                count += 1
        with open(draft, encoding="utf-8", newline="") as drafted, text_file(fresh, zipped) as stream:
            writer = csv.writer(stream, lineterminator="\n", delimiter=delimiter)
            writer.writerow(names)
            for values in csv.reader(drafted):
                writer.writerow(values + [""] * (len(names) - len(values)))
    except csv.Error as error:
        raise OutputError(f"{fresh}: a value cannot be written as CSV ({error})") from None
    finally:
        draft.unlink(missing_ok=True)
    return count


def _csv_values(row: Row) -> dict[str, Any]:
    """Columns of a row, a column ``smiles`` (and ``name``) being added where there is none."""
    values = dict(row.columns)
    if row.name and "name" not in values:
        values = {"name": row.name} | values
    if row.molecule is not None and not any(is_smiles_name(name) for name in values):
        values = {"smiles": smiles_for(row)} | values
    return values


def _csv_text(value: Any) -> str:
    """A value with every line break a plain newline, the only one that the csv module always quotes."""
    return text_of(value).replace("\r\n", "\n").replace("\r", "\n")
