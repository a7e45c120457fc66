"""`read`: a stream of records from any file of molecules."""

import os
from collections.abc import Iterator

from molscore.errors import InputError
from molscore.molecules.files.parquet import read_parquet
from molscore.molecules.files.record import Record
from molscore.molecules.files.sdf import read_sdf
from molscore.molecules.files.smiles_lines import read_smiles_lines
from molscore.molecules.files.source import Lines, format_of, open_lines
from molscore.molecules.files.table import header_of, read_csv
from molscore.molecules.files.xyz import read_xyz

__all__ = ["read"]


def read(path: str | os.PathLike[str], smiles_column: str | None = None) -> Iterator[Record]:
    """Records of ``.smi .csv .sdf .xyz .extxyz`` (each also ``.gz``) and ``.parquet``, or of ``-``, standard input.

    Rows come one at a time and in order; a bad one is a record with a status and an error. The SMILES column of a table
    is found by its name unless given. Raises `InputError` at once for a file that is missing, empty, unreadable or of
    unknown type or has no column of molecules, and later if it proves damaged.
    """
    path = os.fspath(path)
    if path == "-":
        return _read_stdin(open_lines(path), smiles_column)
    kind, zipped = format_of(path)
    if kind == "parquet":
        return read_parquet(path, smiles_column)
    lines = open_lines(path, zipped)
    if kind == "csv":
        return read_csv(lines, smiles_column, path)
    return {"smi": read_smiles_lines, "sdf": read_sdf, "xyz": read_xyz}[kind](lines)


def _read_stdin(lines: Lines, smiles_column: str | None) -> Iterator[Record]:
    """CSV if the first line names a column of SMILES, else one SMILES string a line."""
    first = next(line for line in lines if line.strip())
    lines.push([first])
    try:
        header_of(first, smiles_column, "standard input")
    except InputError:
        if smiles_column is not None:
            raise
        return read_smiles_lines(lines)
    return read_csv(lines, smiles_column, "standard input")
