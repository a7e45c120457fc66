"""From the rows of a source to a data set: duplicates left out, splits made, rows left out listed with the reason."""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from tqdm import tqdm

from molscore.datasets.clusters import with_likeness
from molscore.datasets.molecule_set import MoleculeSet
from molscore.datasets.splits import SHARES, Splitting, hold_out, splits_of
from molscore.errors import InputError, MolscoreError
from molscore.molecules.atomic import write_text
from molscore.molecules.identity import geometry_key
from molscore.molecules.molecule import Molecule

__all__ = ["INPUT", "Entry", "LeftOut", "assemble", "left_out_path", "progress", "set_of", "summary"]

INPUT = "input"  # where a geometry comes from, else the force field that made it


class Entry(NamedTuple):
    """A row that the data set takes."""

    row: int  # number in the source, from 1, a header apart
    molecule: Molecule
    smiles: str  # canonical, with stereochemistry
    bonds: np.ndarray  # (E, 3), see `MoleculeSet.bonds`
    geometry: str = INPUT  # input, or the force field that made the geometry


class LeftOut(NamedTuple):
    """A row that it does not take, and why."""

    row: int
    name: str
    status: str  # the status of the error class; duplicate for a molecule that the data set has already
    error: str

    @classmethod
    def because(cls, row: int, name: str, error: MolscoreError) -> Self:
        """Left out for a typed error."""
        return cls(row, name, error.status, str(error))


def progress(rows: Iterable[Any] | None, what: str, total: int | None = None) -> tqdm:
    """The rows, or none for a bar moved by hand, shown on stderr: a bar on a terminal, a line in a while in a log."""
    interval = 0.5 if sys.stderr.isatty() else 30.0
    every = {"mininterval": interval, "maxinterval": interval, "delay": interval}
    return tqdm(rows, desc=what, total=total, unit="row", leave=False, **every)


def set_of(entries: Sequence[Entry], metadata: dict[str, str]) -> MoleculeSet:
    """Entries as a set with the columns row, smiles, geometry, and name where there are any."""
    columns = {
        "row": np.array([entry.row for entry in entries], dtype=np.int64),
        "name": [entry.molecule.name for entry in entries],
        "smiles": [entry.smiles for entry in entries],
        "geometry": [entry.geometry for entry in entries],
    }
    return MoleculeSet.from_molecules((e.molecule for e in entries), columns, [e.bonds for e in entries], metadata)


def assemble(
    output: str | Path, molecules: MoleculeSet, left_out: Iterable[LeftOut], splitting: Splitting
) -> MoleculeSet:
    """Write the data set and, beside it, the list of rows left out; `molecules` has the columns of `set_of`.

    Of several rows with the same molecule whose geometry was made, or with the same geometry, the first is taken.
    Raises `InputError` where no row is left.
    """
    repeated = list(_duplicates(molecules))
    listed = sorted([*left_out, *repeated])
    path = left_out_path(output)
    path.unlink(missing_ok=True)  # one that would speak of an earlier data set
    if listed:
        table = pd.DataFrame([(*row[:-1], " ".join(row.error.split())) for row in listed], columns=LeftOut._fields)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, table.to_csv(index=False, lineterminator="\n"))
    molecules = molecules.select(~np.isin(molecules.columns["row"], [each.row for each in repeated]))
    if not len(molecules):
        raise InputError(f"no row can be used ({_counted(row.status for row in listed)}); {path} says why of each")
    splits = splits_of(molecules.columns["smiles"], splitting.kind, splitting.seed)
    molecules = with_likeness(molecules.with_columns(split=splits), splitting.seed)
    if splitting.held_out:
        (molecules,) = hold_out([molecules], splitting.held_out, splitting.seed)
    molecules.save(output)
    return molecules


def _duplicates(molecules: MoleculeSet) -> Iterable[LeftOut]:
    """Rows that say again what an earlier row says."""
    first: dict[str, int] = {}
    columns = molecules.columns
    for index, (row, smiles, geometry) in enumerate(
        zip(columns["row"].tolist(), columns["smiles"], columns["geometry"], strict=True)
    ):
        key = geometry_key(molecules[index]) if geometry == INPUT else smiles
        if (earlier := first.setdefault(key, row)) != row:
            what = "geometry" if geometry == INPUT else "molecule"
            yield LeftOut(row, str(columns["name"][index]), "duplicate", f"the same {what} as in row {earlier}")


def left_out_path(output: str | Path) -> Path:
    """Where the rows left out of a data set are listed: ``<output without suffix>.left_out.csv``."""
    return Path(output).with_suffix(".left_out.csv")


def summary(output: str | Path, molecules: MoleculeSet) -> str:
    """A data set in a line: how many molecules, of which splits, where geometries come from, what was left out."""
    splits = _counted(molecules.columns["split"])
    line = f"{output}: {len(molecules):,} molecules, {len(molecules.numbers):,} atoms ({splits})"
    if empty := [name for name in SHARES if name not in molecules.columns["split"]]:
        line += f"; none in {' and '.join(empty)}, for too few molecules, or scaffolds, are rare enough to set aside"
    if "geometry" in molecules.columns:
        line += f"; geometries: {_counted(molecules.columns['geometry'])}"
    listed = left_out_path(output)
    if not listed.is_file():
        return line
    statuses = pd.read_csv(listed, na_filter=False)["status"]
    return f"{line}; {len(statuses):,} rows left out ({_counted(statuses)}), listed in {listed}"


def _counted(names: Iterable[str]) -> str:
    found = Counter(names)
    return ", ".join(f"{name} {count:,}" for name, count in found.most_common()) or "there are none"
