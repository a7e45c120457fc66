"""`write`: rows of molecules and columns to any file of molecules, in one step."""

import csv
import gzip
import io
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa

from molscore.errors import InputError, OutputError
from molscore.molecules.atomic import replacing, write_text
from molscore.molecules.files.parquet import write_parquet
from molscore.molecules.files.record import Row, as_row, is_smiles_name, one_line, smiles_for, text_of
from molscore.molecules.files.sdf import sdf_record
from molscore.molecules.files.source import format_of
from molscore.molecules.files.xyz import xyz_frame

__all__ = ["write"]

_NO_MOLECULE = "*"


def write(
    path: str | os.PathLike[str],
    rows: Iterable[Any],
    provenance: Mapping[str, Any] | None = None,
    types: Mapping[str, pa.DataType] | None = None,
) -> int:
    """Write ``.sdf .csv .xyz .smi`` (each also ``.gz``) or ``.parquet``, or CSV to ``-``; returns the number of rows.

    A row is a `Molecule`, a `Record`, or (molecule or None, columns[, RDKit molecule with the bonds]). Every row is
    written, in order, and the same rows make the same bytes. Provenance goes into the tags of an SDF record, the
    comment of an XYZ frame, the schema of a Parquet table, and ``<path>.provenance.json`` beside CSV and SMILES.
    `types` are those of the columns of a Parquet table, where they are known.
    Raises `OutputError` where the file cannot be written; what stood there before is then untouched.
    """
    path = os.fspath(path)
    if path == "-":
        return _to_stdout(rows)
    try:
        kind, zipped = format_of(path)
    except InputError as error:
        raise OutputError(str(error)) from None
    items = (as_row(item) for item in rows)
    with replacing(path) as fresh:
        if kind == "parquet":
            count = write_parquet(fresh, items, provenance, types)
        elif kind == "csv":
            count = _write_csv(fresh, items, zipped)
        else:
            tags = {f"molscore_{key}": value for key, value in (provenance or {}).items()}
            count = _write_records(fresh, items, kind, zipped, tags)
    if kind in ("csv", "smi"):  # which have no room for it
        sidecar = f"{path}.provenance.json"
        with suppress(OSError):  # of an earlier file
            os.unlink(sidecar)
        if provenance:
            write_text(sidecar, json.dumps(dict(provenance), indent=2, default=text_of) + "\n")
    return count


def _write_records(fresh: Path, rows: Iterable[Row], kind: str, zipped: bool, tags: Mapping[str, Any]) -> int:
    """One text after another."""
    spell = {"sdf": sdf_record, "xyz": xyz_frame, "smi": _smiles_line}[kind]
    count = 0
    with _text_file(fresh, zipped) as stream:
        for row in rows:
            stream.write(spell(row, tags))
            count += 1
    return count


def _smiles_line(row: Row, tags: Mapping[str, Any]) -> str:
    """SMILES and name; a row without a molecule keeps its line."""
    return f"{one_line(smiles_for(row) or _NO_MOLECULE)} {one_line(row.name)}".rstrip() + "\n"


def _write_csv(fresh: Path, rows: Iterable[Row], zipped: bool) -> int:
    """A table whose header holds every column that any row has, in order of appearance."""
    draft = fresh.with_name(f"{fresh.name}.draft")
    names: dict[str, None] = {}
    count = 0
    try:
        with _text_file(draft, False) as stream:
            writer = csv.writer(stream, lineterminator="\n")
            for row in rows:
                values = _csv_values(row)
                names.update(dict.fromkeys(values))
                writer.writerow([_csv_text(values.get(name)) for name in names])
                count += 1
        with open(draft, encoding="utf-8", newline="") as drafted, _text_file(fresh, zipped) as stream:
            writer = csv.writer(stream, lineterminator="\n")
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


def _to_stdout(rows: Iterable[Any]) -> int:
    """CSV on standard output, once it is complete."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table.csv"
        count = _write_csv(table, (as_row(item) for item in rows), zipped=False)
        with open(table, encoding="utf-8", newline="") as stream:
            shutil.copyfileobj(stream, sys.stdout)
    return count


@contextmanager
def _text_file(path: Path, zipped: bool) -> Iterator[TextIO]:
    """UTF-8 text stream; gzip without name and time, so that the bytes depend on the content alone."""
    with open(path, "wb") as raw:
        binary = gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) if zipped else raw
        text = io.TextIOWrapper(binary, encoding="utf-8", errors="replace", newline="")
        try:
            yield text
        finally:
            text.close()
