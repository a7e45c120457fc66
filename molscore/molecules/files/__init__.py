"""Molecules in files: `read` streams records that never raise for a bad row, `write` replaces a file in one step."""

import csv

from molscore.molecules.files.reading import Scan, read, scan
from molscore.molecules.files.record import Record
from molscore.molecules.files.row import Row
from molscore.molecules.files.writing import write

csv.field_size_limit(2**31 - 1)  # of its own the module refuses cells of more than 131,072 characters, read or written

__all__ = ["Record", "Row", "Scan", "read", "scan", "write"]
