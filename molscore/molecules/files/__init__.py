"""Molecules in files: `read` streams records that never raise for a bad row, `write` replaces a file in one step."""

from molscore.molecules.files.reading import Scan, read, scan
from molscore.molecules.files.record import Record
from molscore.molecules.files.row import Row
from molscore.molecules.files.writing import write

__all__ = ["Record", "Row", "Scan", "read", "scan", "write"]
