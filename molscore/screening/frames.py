"""Records of the rows of a DataFrame."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from molscore.errors import InputError, MolscoreError, PositionError
from molscore.molecules.files.record import Record, bad_record
from molscore.molecules.files.record import smiles_column as find_column
from molscore.molecules.molecule import Molecule

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["is_frame", "records_of_frame"]

_GEOMETRY = ("numbers", "positions")


def is_frame(source: Any) -> bool:
    """Whether this is a pandas DataFrame, which is not imported to ask."""
    return hasattr(source, "columns") and hasattr(source, "iloc")


def records_of_frame(frame: "pd.DataFrame", smiles_column: str | None = None) -> Iterator[Record]:
    """One record a row, as of a Parquet table: from ``numbers`` (N,) and ``positions`` (3N,) or (N, 3) Å where the row
    has them, else from its SMILES.

    Raises `InputError` at once for a frame with neither kind of column.
    """
    names = [str(name) for name in frame.columns]
    geometry = set(_GEOMETRY) <= set(names)
    try:
        column = find_column(names, smiles_column, "the DataFrame")
    except InputError:
        if smiles_column is not None or not geometry:
            raise
        column = None
    return _records(frame, names, geometry, column)


def _records(frame: "pd.DataFrame", names: list[str], geometry: bool, column: str | None) -> Iterator[Record]:
    for row, values in enumerate(zip(*(frame.iloc[:, place] for place in range(len(names))), strict=True)):
        columns = dict(zip(names, values, strict=True))
        smiles = None if column is None else values[names.index(column)]
        smiles = smiles.strip() if isinstance(smiles, str) else ""
        try:
            molecule = _molecule(columns) if geometry else None
        except MolscoreError as error:
            yield bad_record(row, error, columns)
        else:
            yield Record(row, molecule, smiles if molecule is None else smiles or None, columns)


def _molecule(columns: dict[str, Any]) -> Molecule | None:
    """The geometry of a row, None where it has none."""
    pair = [columns[name] for name in _GEOMETRY]
    if not all(hasattr(value, "__len__") for value in pair):  # None, NaN, NA
        return None
    try:
        numbers, positions = np.asarray(pair[0]), np.asarray([np.asarray(x, dtype=np.float64) for x in pair[1]])
    except (TypeError, ValueError):
        raise PositionError("numbers and positions are not lists of numbers") from None
    if positions.size != 3 * numbers.size:
        raise PositionError(f"{numbers.size} atoms have {positions.size} coordinates, not {3 * numbers.size}")
    name = columns.get("name")
    return Molecule(numbers, positions.reshape(-1, 3), name if isinstance(name, str) else "")
