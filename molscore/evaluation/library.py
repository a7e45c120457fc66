"""The geometries of a file, for judging, and what had to be left out."""

from __future__ import annotations

import os
from collections import Counter

from molscore.datasets.store import MoleculeSet
from molscore.errors import ElementError, InputError, MolscoreError, PositionError
from molscore.evaluation.thresholds import allowed_valences
from molscore.molecules.files import Record, read
from molscore.molecules.molecule import Molecule
from molscore.molecules.neighbours import check_geometry

__all__ = ["geometries_of", "judgeable", "reference_of"]


def judgeable(path: str | os.PathLike[str]) -> tuple[list[Record], Counter[str]]:
    """Records of a file with a geometry and elements that the metrics know; rows left out, counted by status.

    Raises `InputError` for a file that cannot be read or that has no such molecule.
    """
    known = allowed_valences().any(axis=1)
    records, left_out = [], Counter()
    for record in read(path):
        if not record.ok:
            left_out[record.status] += 1
        elif record.molecule is None:
            left_out[PositionError.status] += 1
        elif not known[record.molecule.numbers].all():
            left_out[ElementError.status] += 1
        elif _lacks_hydrogens(record.molecule):
            left_out[PositionError.status] += 1
        else:
            records.append(record)
    if not records:
        reasons = ", ".join(f"{status} {n}" for status, n in sorted(left_out.items())) or "no rows"
        raise InputError(f"{path}: no molecule has a geometry that can be judged ({reasons})")
    return records, left_out


def geometries_of(path: str | os.PathLike[str]) -> tuple[MoleculeSet, Counter[str]]:
    """The molecules of `judgeable` as one set."""
    records, left_out = judgeable(path)
    return MoleculeSet.from_molecules(record.molecule for record in records), left_out


def _lacks_hydrogens(molecule: Molecule) -> bool:
    """Whether these are the heavy atoms alone of a molecule, which the lenient metrics would call valid."""
    if (molecule.numbers == 1).any():
        return False
    try:
        check_geometry(molecule)
    except MolscoreError as error:
        return isinstance(error, PositionError)
    return False


def reference_of(path: str | os.PathLike[str]) -> MoleculeSet:
    """Molecules to tell novel ones by: the training split of a data set with a split, else all geometries of a file."""
    if str(path).endswith(".parquet"):
        data = MoleculeSet.load(path)
        return data.select(data.columns["split"] == "train") if "split" in data.columns else data
    return geometries_of(path)[0]
