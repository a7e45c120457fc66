"""SMILES files: one molecule a line, the name after the first space."""

from collections.abc import Iterator
from functools import partial

from molscore.molecules.files.columns import is_smiles_name
from molscore.molecules.files.record import Make, Record
from molscore.molecules.files.source import Lines

__all__ = ["scan_smiles_lines"]


def scan_smiles_lines(lines: Lines) -> Iterator[Make]:
    """One row for every line that is not blank; a first line headed ``smiles`` is a header."""
    row = 0
    for line in lines:
        smiles, name = _split(line.strip())
        if not smiles or (row == 0 and is_smiles_name(smiles)):
            continue
        yield partial(Record, row, None, smiles, {"smiles": smiles, "name": name})
        row += 1


def _split(text: str) -> tuple[str, str]:
    """SMILES and name; a CXSMILES extension between bars belongs to the SMILES."""
    smiles, _, rest = text.replace("\t", " ").partition(" ")
    rest = rest.strip()
    if rest.startswith("|") and "|" in rest[1:]:
        extension, _, rest = rest[1:].partition("|")
        smiles = f"{smiles} |{extension}|"
    return smiles, rest.strip()
