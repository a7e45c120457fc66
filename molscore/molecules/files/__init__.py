"""Molecules in files: `read` streams records that never raise for a bad row, `write` replaces a file in one step.

`scan` gives the same rows before any chemistry. Each format is a module, which reads its rows and writes them.
"""

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from molscore.arguments import check_path, type_of
from molscore.errors import InputError, MolscoreError, OutputError
from molscore.molecules.atomic import reason_of, replacing, text_file, write_text
from molscore.molecules.files.parquet import scan_parquet, write_parquet
from molscore.molecules.files.record import Make, Record, Row, as_row, checked, one_line, smiles_for, text_of
from molscore.molecules.files.sdf import scan_sdf, sdf_record
from molscore.molecules.files.text import Lines, header_of, open_lines, scan_csv, scan_smiles, write_csv
from molscore.molecules.files.xyz import scan_xyz, xyz_frame
from molscore.molecules.molecule import Molecule
from molscore.molecules.suffixes import FORMATS, SUFFIXES

__all__ = ["Record", "Row", "Scan", "check_place", "content_hash", "format_of", "read", "scan", "write"]

_NO_MOLECULE = "*"


def format_of(path: str, error: type[MolscoreError] = InputError) -> tuple[str, bool]:
    """Format by suffix (``smi csv tsv sdf xyz parquet``) and whether it is gzipped; raises `error` for others."""
    name = Path(path.lower())
    zipped = name.suffix == ".gz"
    suffix = Path(name.stem).suffix if zipped else name.suffix
    if suffix not in FORMATS or (zipped and suffix == ".parquet"):
        raise error(f"{path}: unknown file type; use {SUFFIXES}")
    return FORMATS[suffix], zipped


def check_place(path: str | os.PathLike[str], is_folder: bool = False) -> None:
    """Raise `OutputError` for a file, or a folder, that cannot be written, before any work is done."""
    path = Path(path)
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        reason = "permission denied" if path.parent.is_dir() else "there is no such folder"
        raise OutputError(f"{path}: cannot be written ({reason})")
    if path.exists() and not (path.is_dir() if is_folder else path.is_file()):
        raise OutputError(f"{path}: cannot be written (it is not a {'folder' if is_folder else 'regular file'})")


def content_hash(path: str | os.PathLike[str]) -> str:
    """SHA-256 of what is in a file, itself ``-`` for standard input; raises `InputError` where it cannot be read."""
    if path == "-":
        return path
    try:
        with open(path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({reason_of(error)})") from None


@dataclass(frozen=True)
class Scan:
    """The rows of a file, in order, each still to be made into a record, and how far one has come among them."""

    rows: Iterator[Make]
    total: int | None = None  # how many rows there are, where the file says so itself
    share: Callable[[], float | None] = lambda: None  # how much of the file has been read, 0 to 1, where that is known


def read(path: str | os.PathLike[str], smiles_column: str | None = None) -> Iterator[Record]:
    """Records of ``.smi .csv .tsv .sdf .xyz .extxyz`` (each also ``.gz``), ``.parquet`` or ``-``, standard input: SDF,
    XYZ, CSV or SMILES, by its first lines.

    Rows come one at a time and in order; a bad one is a record with a status and an error. The SMILES column of a table
    is found by its name, else by its values, unless given. Raises `InputError` at once for a file that is missing,
    empty, unreadable or of unknown type or has no column of molecules, and for a column of what is no table, and later
    if it proves damaged.
    """
    return (checked(make()) for make in scan(path, smiles_column).rows)


def scan(path: str | os.PathLike[str], smiles_column: str | None = None) -> Scan:
    """The rows of what `read` reads, SMILES strings unchecked; errors as there."""
    check_path("path", path)
    path = os.fspath(path)
    if path == "-":
        lines = open_lines(path)
        return Scan(_scan_stdin(lines, smiles_column), share=lines.share)
    kind, _ = format_of(path)
    if kind == "parquet":
        rows, total = scan_parquet(path, smiles_column)
        return Scan(rows, total)
    if smiles_column is not None and kind not in ("csv", "tsv"):
        raise InputError(
            f"{path}: there is no column {smiles_column!r} to take: a .{kind} file is no table; leave out -s"
        )
    lines = open_lines(path)
    if kind in ("csv", "tsv"):
        return Scan(scan_csv(lines, smiles_column, path), share=lines.share)
    return Scan({"smi": scan_smiles, "sdf": scan_sdf, "xyz": scan_xyz}[kind](lines), share=lines.share)


def _scan_stdin(lines: Lines, smiles_column: str | None) -> Iterator[Make]:
    """SDF or XYZ where the first lines are of such a file, CSV if the first names a column of SMILES, else one SMILES
    string a line."""
    head = list(islice(lines, 4))
    lines.push(head)
    if (is_xyz := head[0].strip().isdecimal()) or head[-1].rstrip().endswith(("V2000", "V3000")):
        if smiles_column is not None:
            raise InputError("standard input is no table: there is no column to take; leave out -s")
        return scan_xyz(lines) if is_xyz else scan_sdf(lines)
    first = next(line for line in lines if line.strip())
    lines.push([first])
    try:
        header_of(first, smiles_column, "standard input")
    except InputError:
        if smiles_column is not None:
            raise
        return scan_smiles(lines)
    return scan_csv(lines, smiles_column, "standard input")


def write(
    path: str | os.PathLike[str],
    rows: Iterable[Any],
    provenance: Mapping[str, Any] | None = None,
    types: Mapping[str, pa.DataType] | None = None,
) -> int:
    """Write ``.sdf .csv .tsv .xyz .smi`` (each also ``.gz``), ``.parquet``, or CSV to ``-``; returns how many rows.

    A row is a `Molecule`, a `Record`, or (molecule or None, columns[, RDKit molecule with the bonds]). Every row is
    written, in order, and the same rows make the same bytes. Provenance goes into the tags of an SDF record, the
    comment of an XYZ frame, the schema of a Parquet table, and ``<path>.provenance.json`` beside CSV and SMILES.
    `types` are those of the columns of a Parquet table, where they are known.
    Raises `OutputError` where the file cannot be written; what stood there before is then untouched.
    """
    check_path("path", path)
    if isinstance(rows, Molecule) or not isinstance(rows, Iterable):
        raise InputError(f"{type_of(rows)} is not several rows to write: give a list of them")
    path, items = os.fspath(path), (as_row(item) for item in rows)
    if path == "-":
        return _to_stdout(items)
    kind, zipped = format_of(path, OutputError)
    with replacing(path) as fresh:
        if kind == "parquet":
            count = write_parquet(fresh, items, provenance, types)
        elif kind in ("csv", "tsv"):
            count = write_csv(fresh, items, zipped, "," if kind == "csv" else "\t")
        else:
            spell = {"sdf": sdf_record, "xyz": xyz_frame, "smi": _smiles_line}[kind]
            tags = {f"molscore_{key}": value for key, value in (provenance or {}).items()}
            count = 0
            with text_file(fresh, zipped) as stream:
                for row in items:
                    stream.write(spell(row, tags))
                    count += 1
    if kind in ("csv", "tsv", "smi"):  # which have no room for it
        sidecar = f"{path}.provenance.json"
        with suppress(OSError):  # of an earlier file
            os.unlink(sidecar)
        if provenance:
            write_text(sidecar, json.dumps(dict(provenance), indent=2, default=text_of) + "\n")
    return count


def _smiles_line(row: Row, _: Mapping[str, Any]) -> str:
    """SMILES and name; a row without a molecule keeps its line."""
    return f"{one_line(smiles_for(row) or _NO_MOLECULE)} {one_line(row.name)}".rstrip() + "\n"


def _to_stdout(rows: Iterable[Row]) -> int:
    """CSV on standard output, once it is complete."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table.csv"
        count = write_csv(table, rows)
        with open(table, encoding="utf-8", newline="") as stream:
            shutil.copyfileobj(stream, sys.stdout)
    return count
