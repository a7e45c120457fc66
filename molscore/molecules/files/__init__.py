"""Molecules in files: `read` streams records that never raise for a bad row, `write` replaces a file in one step.

`scan` gives the same rows before any chemistry. Each format is a module, which reads its rows and writes them.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from molscore.errors import InputError
from molscore.molecules.files.parquet import scan_parquet
from molscore.molecules.files.record import (
    Make,
    Record,
    Row,
    as_row,
    bad_record,
    checked,
    is_smiles_name,
    smiles_for,
    text_of,
)
from molscore.molecules.files.sdf import scan_sdf
from molscore.molecules.files.source import Lines, format_of, open_lines
from molscore.molecules.files.tables import header_of, scan_csv, scan_smiles
from molscore.molecules.files.writing import write
from molscore.molecules.files.xyz import scan_xyz

__all__ = [
    "Make", "Record", "Row", "Scan", "as_row", "bad_record", "format_of", "is_smiles_name", "read", "scan",
    "smiles_for", "text_of", "write",
]  # fmt: skip


@dataclass(frozen=True)
class Scan:
    """The rows of a file, in order, each still to be made into a record, and how far one has come among them."""

    rows: Iterator[Make]
    total: int | None = None
    """How many rows there are, where the file says so itself."""
    share: Callable[[], float | None] = lambda: None
    """How much of the file has been read, 0 to 1, where that is known."""


def read(path: str | os.PathLike[str], smiles_column: str | None = None) -> Iterator[Record]:
    """Records of ``.smi .csv .sdf .xyz .extxyz`` (each also ``.gz``) and ``.parquet``, or of ``-``, standard input.

    Rows come one at a time and in order; a bad one is a record with a status and an error. The SMILES column of a table
    is found by its name unless given. Raises `InputError` at once for a file that is missing, empty, unreadable or of
    unknown type or has no column of molecules, and later if it proves damaged.
    """
    return (checked(make()) for make in scan(path, smiles_column).rows)


def scan(path: str | os.PathLike[str], smiles_column: str | None = None) -> Scan:
    """The rows of what `read` reads, SMILES strings unchecked; errors as there."""
    path = os.fspath(path)
    if path == "-":
        lines = open_lines(path)
        return Scan(_scan_stdin(lines, smiles_column), share=lines.share)
    kind, _ = format_of(path)
    if kind == "parquet":
        rows, total = scan_parquet(path, smiles_column)
        return Scan(rows, total)
    lines = open_lines(path)
    if kind == "csv":
        return Scan(scan_csv(lines, smiles_column, path), share=lines.share)
    return Scan({"smi": scan_smiles, "sdf": scan_sdf, "xyz": scan_xyz}[kind](lines), share=lines.share)


def _scan_stdin(lines: Lines, smiles_column: str | None) -> Iterator[Make]:
    """CSV if the first line names a column of SMILES, else one SMILES string a line."""
    first = next(line for line in lines if line.strip())
    lines.push([first])
    try:
        header_of(first, smiles_column, "standard input")
    except InputError:
        if smiles_column is not None:
            raise
        return scan_smiles(lines)
    return scan_csv(lines, smiles_column, "standard input")
