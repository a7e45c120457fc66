"""From the rows of a source to a data set: duplicates left out, splits made, rows left out listed with the reason."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from molscore.datasets.hold_out import hold_out
from molscore.datasets.likeness import with_likeness
from molscore.datasets.splits import KEYS, splits_of
from molscore.datasets.store import MoleculeSet
from molscore.errors import InputError
from molscore.molecules.atomic import write_text
from molscore.molecules.identity import geometry_key
from molscore.molecules.molecule import Molecule

__all__ = ["GIVEN", "Entry", "LeftOut", "Splitting", "assemble", "left_out_path", "set_of", "summary"]

GIVEN = "input"


class Entry(NamedTuple):
    """A row that the data set takes."""

    row: int
    """Number in the source, from 0."""
    molecule: Molecule
    smiles: str
    """Canonical, with stereochemistry."""
    bonds: np.ndarray
    """``(E, 3)``, see `MoleculeSet.bonds`."""
    geometry: str = GIVEN
    """``input``, or the force field that made the geometry."""


class LeftOut(NamedTuple):
    """A row that it does not take, and why."""

    row: int
    name: str
    status: str
    """The status of the error class; ``duplicate`` for a molecule that the data set has already."""
    error: str


@dataclass(frozen=True)
class Splitting:
    """How a data set is split; raises `InputError` for what is no split."""

    kind: str = "molecule"
    """``molecule`` or ``scaffold``."""
    held_out: float = 0.0
    """Share of the training split to be held out, see `molscore.datasets.hold_out`."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KEYS:
            raise InputError(f"{self.kind!r} is no split; there are {', '.join(KEYS)}")
        if not 0 <= self.held_out < 1:
            raise InputError(f"a share of {self.held_out} cannot be held out: it must lie between 0 and 1")


def set_of(entries: Sequence[Entry], metadata: dict[str, str]) -> MoleculeSet:
    """Entries as a set with the columns row, smiles, geometry, and name where there are any."""
    columns = {
        "row": np.array([entry.row for entry in entries], dtype=np.int64),
        "name": [entry.molecule.name for entry in entries],
        "smiles": [entry.smiles for entry in entries],
        "geometry": [entry.geometry for entry in entries],
    }
    found = MoleculeSet.from_molecules((e.molecule for e in entries), columns, [e.bonds for e in entries])
    return found.with_metadata(metadata)


def assemble(
    output: str | Path, molecules: MoleculeSet, left_out: Iterable[LeftOut], splitting: Splitting
) -> MoleculeSet:
    """Write the data set and, beside it, the list of rows left out; `molecules` has the columns of `set_of`.

    Of several rows with the same molecule whose geometry was made, or with the same geometry, the first is taken.
    Raises `InputError` where no row is left.
    """
    repeated = list(_duplicates(molecules))
    listed = sorted([*left_out, *repeated])
    _write_left_out(left_out_path(output), listed)
    molecules = molecules.select(~np.isin(molecules.columns["row"], [each.row for each in repeated]))
    if not len(molecules):
        raise InputError(f"no row can be used ({_counted(listed)}); {left_out_path(output)} says why of each")
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
        key = geometry_key(molecules[index]) if geometry == GIVEN else smiles
        if (earlier := first.setdefault(key, row)) != row:
            what = "geometry" if geometry == GIVEN else "molecule"
            yield LeftOut(row, str(columns["name"][index]), "duplicate", f"the same {what} as in row {earlier}")


def left_out_path(output: str | Path) -> Path:
    """Where the rows left out of a data set are listed: ``<output without suffix>.left_out.csv``."""
    return Path(output).with_suffix(".left_out.csv")


def _write_left_out(path: Path, rows: Sequence[LeftOut]) -> None:
    if not rows:
        path.unlink(missing_ok=True)  # one that would speak of an earlier data set
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(LeftOut._fields)
    writer.writerows((*row[:-1], " ".join(row.error.split())) for row in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text.getvalue())


def summary(output: str | Path, molecules: MoleculeSet) -> str:
    """A data set in a line or two: how many molecules, of which splits, and what was left out."""
    splits = ", ".join(f"{name} {count:,}" for name, count in Counter(molecules.columns["split"]).most_common())
    line = f"{output}: {len(molecules):,} molecules, {len(molecules.numbers):,} atoms ({splits})"
    listed = left_out_path(output)
    if not listed.is_file():
        return line
    with listed.open(encoding="utf-8", newline="") as file:
        rows = [LeftOut(int(row), *rest) for row, *rest in list(csv.reader(file))[1:]]
    return f"{line}; {len(rows):,} rows left out ({_counted(rows)}), listed in {listed}"


def _counted(rows: Sequence[LeftOut]) -> str:
    found = Counter(row.status for row in rows)
    return ", ".join(f"{status} {count:,}" for status, count in found.most_common()) or "there are none"
