"""Molecules in files: `read` streams records that never raise for a bad row, `write` replaces a file in one step."""

from molscore.molecules.files.reading import Scan, read, scan
from molscore.molecules.files.record import Make, Record, Row, as_row, bad_record, is_smiles_name, smiles_for, text_of
from molscore.molecules.files.source import format_of
from molscore.molecules.files.writing import write

__all__ = [
    "Make", "Record", "Row", "Scan", "as_row", "bad_record", "format_of", "is_smiles_name", "read", "scan",
    "smiles_for", "text_of", "write",
]  # fmt: skip
