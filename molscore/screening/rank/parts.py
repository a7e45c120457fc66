"""Parts: some rows of a ranking in a Parquet file that is whole or not there."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from molscore.errors import InputError
from molscore.molecules.atomic import reason_of, replacing
from molscore.molecules.files.parquet import array_of, geometry_arrays
from molscore.molecules.molecule import Molecule
from molscore.screening.columns import columns_of, given_name
from molscore.screening.scorer import COLUMNS, GIVEN, Scored

__all__ = ["HIDDEN", "KEY", "ROW", "Summary", "is_whole", "read_part", "rows_of", "table_of", "write_part"]

ROW, KEY = "molscore_row", "molscore_key"
NUMBERS, POSITIONS = "molscore_numbers", "molscore_positions"
HIDDEN = (ROW, KEY, NUMBERS, POSITIONS)
_TYPES = dict.fromkeys(("status", "geometry", "reference", "error"), pa.string()) | {"n_atoms": pa.int64()}
_NOTE = b"molscore_part"


def table_of(
    judged: Sequence[Scored], start: int, types: Mapping[str, pa.DataType] | None = None, shapes: bool = False
) -> pa.Table:
    """Rows `start`, `start` + 1 … of a ranking: their number from 0, the key of the molecule, all columns.

    Geometries of the input are kept, those made here where `shapes` says so. A column of the input has its type in
    `types`, or is text, so that all parts of a job agree.
    """
    rows = [columns_of(scored) for scored in judged]
    arrays = {
        ROW: pa.array(range(start, start + len(rows)), pa.int64()),
        KEY: pa.array([scored.key or None for scored in judged], pa.string()),
    }
    for name in dict.fromkeys(name for row in rows for name in row):
        kind = _TYPES.get(name, pa.float64()) if name in COLUMNS else (types or {}).get(name, pa.string())
        arrays[name] = array_of([row.get(name) for row in rows], kind)
    held = [(scored.molecule if shapes else None) or scored.record.molecule for scored in judged]
    if any(molecule is not None for molecule in held):
        arrays[NUMBERS], arrays[POSITIONS] = geometry_arrays(held, np.float64)
    return pa.table(arrays)


def rows_of(
    table: pa.Table, optional: bool = False, shapes: bool = True
) -> Iterator[tuple[Molecule | None, dict[str, Any], None]]:
    """Rows to write, the input's columns before ours; where columns are `optional`, a row lacks those without value.

    Geometries that were made are left out unless `shapes`; those of the input stay.
    """
    names = [name for name in table.column_names if name not in HIDDEN]
    names.sort(key=lambda name: name in COLUMNS)
    for columns, molecule in zip(table.select(names).to_pylist(), _molecules(table), strict=True):
        if optional:
            columns = {name: value for name, value in columns.items() if value is not None or name in COLUMNS}
        if not shapes and columns["geometry"] == "etkdg":
            molecule = None
        if molecule is not None and isinstance(name := columns.get("name"), str):
            molecule = Molecule(molecule.numbers, molecule.positions, name)
        yield molecule, columns, None


def _molecules(table: pa.Table) -> Iterator[Molecule | None]:
    if NUMBERS not in table.column_names:
        yield from [None] * len(table)
        return
    for numbers, flat in zip(table[NUMBERS], table[POSITIONS], strict=True):
        if numbers.is_valid:
            yield Molecule(numbers.values.to_numpy(), flat.values.to_numpy().reshape(-1, 3))
        else:
            yield None


def write_part(path: Path, table: pa.Table, note: Mapping[str, Any], provenance: Mapping[str, Any]) -> None:
    """Write a part in one step; raises `OutputError` where that cannot be done."""
    about = {_NOTE: json.dumps(dict(note)), b"molscore": json.dumps(dict(provenance))}
    with replacing(path) as fresh:
        pq.write_table(table.replace_schema_metadata(about), fresh, compression="zstd", write_page_checksum=True)


def read_part(path: Path) -> pa.Table:
    """The table of a part; raises `InputError` for one that is damaged."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            return file.read()
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: damaged ({reason_of(error)}); run the job again with --resume") from None


def is_whole(path: Path, note: Mapping[str, Any]) -> bool:
    """Whether a part is there, undamaged, and of the job that `note` tells."""
    try:
        table = read_part(path)
    except InputError:
        return False
    return (table.schema.metadata or {}).get(_NOTE) == json.dumps(dict(note)).encode()


@dataclass
class Summary:
    """Rows by status, given geometries by what they were compared with, input columns that have another name, and rows
    with text that was lost."""

    statuses: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    renamed: dict[str, str] = field(default_factory=dict)

    def counting(self, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """The same tables, counted as they pass."""
        for table in tables:
            for counted in table["status"].value_counts().to_pylist():
                self.statuses[counted["values"]] += counted["counts"]
            given = table.filter(pc.equal(table["geometry"], GIVEN))
            for counted in given["reference"].drop_null().value_counts().to_pylist():
                self.kinds[counted["values"]] += counted["counts"]
            names = [name for name in table.column_names if name not in HIDDEN and given_name(name) != name]
            self.renamed |= {given_name(name): name for name in names}
            yield table
