"""References: the molecules that say what is meant, from a file or in memory."""

import os
from typing import Any

from molscore.errors import InputError
from molscore.molecules.convert import as_molecules
from molscore.molecules.files import read
from molscore.molecules.files.source import format_of
from molscore.molecules.molecule import Molecule

__all__ = ["existing", "reference_molecules"]


def reference_molecules(references: Any) -> list[Molecule]:
    """Molecules of a file that `molscore.read` reads, or of any kind; those without a geometry get one.

    Raises `InputError` for a file without molecules, and the error of the first row that is none.
    """
    if not isinstance(references, (str, os.PathLike)) or not _names_a_file(os.fspath(references)):
        return as_molecules(references)
    found = []
    for record in read(references):
        if not record.ok:
            raise InputError(f"{references}: row {record.row}: {record.error}")
        found.append(record.smiles if record.molecule is None else record.molecule)
    if not found:
        raise InputError(f"{references} holds no molecules to be like")
    return as_molecules(found)


def existing(path: str) -> str:
    """The name of a file of references, as a command was given it; raises `InputError` where it is none."""
    format_of(path)
    return path


def _names_a_file(text: str) -> bool:
    try:
        format_of(text)
    except InputError:
        return False
    return True
