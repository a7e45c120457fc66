"""Parquet tables: geometries as list columns ``numbers`` and ``positions``, SMILES as text, the rest as it comes."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from molscore.errors import InputError
from molscore.molecules.atomic import reason_of
from molscore.molecules.files.record import (
    FIRST_ROWS,
    GEOMETRY,
    Make,
    Record,
    Row,
    record_of,
    smiles_column_if_any,
    text_of,
)
from molscore.molecules.molecule import Molecule

__all__ = ["array_of", "common_schema", "geometry_arrays", "scan_parquet", "write_parquet"]

_READ_ROWS = 256
_WRITE_ROWS = 10_000


def scan_parquet(path: str, wanted: str | None) -> tuple[Iterator[Make], int]:
    """The rows of a table and how many there are. A record is made from ``numbers`` (N,) and flat ``positions`` (3N,) Å
    where present, else from SMILES.

    Raises `InputError` at once for a file that is no Parquet table or has neither kind of column.
    """
    try:
        table = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: cannot be read as Parquet ({reason_of(error)})") from None
    try:
        column = smiles_column_if_any(table.schema_arrow.names, wanted, path, partial(_first, table))
    except InputError:
        table.close()
        raise
    return _rows(table, path, column), table.metadata.num_rows


def _first(table: pq.ParquetFile) -> list[dict[str, Any]]:
    try:
        return next(table.iter_batches(FIRST_ROWS)).to_pylist() if table.metadata.num_rows else []
    except (pa.ArrowException, OSError):  # damaged, which reading tells
        return []


def _rows(table: pq.ParquetFile, path: str, column: str | None) -> Iterator[Make]:
    row = 0
    with table:
        try:
            for batch in table.iter_batches(_READ_ROWS):
                listed = cache(batch.to_pylist)  # when the first of these rows is wanted
                for place in range(len(batch)):
                    yield partial(_record, row, listed, place, column)
                    row += 1
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{path}: damaged after row {row} ({reason_of(error)})") from None


def _record(row: int, listed: Callable[[], list[dict[str, Any]]], place: int, column: str | None) -> Record:
    record = record_of(row, listed()[place], column)
    if not set(GEOMETRY) <= set(record.columns):
        return record
    return replace(record, columns={name: value for name, value in record.columns.items() if name not in GEOMETRY})


def write_parquet(
    path: Path,
    rows: Iterable[Row],
    provenance: Mapping[str, Any] | None,
    types: Mapping[str, pa.DataType] | None = None,
) -> int:
    """Write rows in bounded memory, provenance as JSON under the schema key ``molscore``; returns how many.

    Columns have their type in `types` where there is one that fits, else the one that their values suggest. Chunks go
    to files of their own, which are then joined: a column that a chunk lacks is null there, one whose types cannot be
    reconciled becomes text.
    """
    from pyarrow.dataset import dataset  # a slow import, of pandas

    parts: list[Path] = []
    rows, count = iter(rows), 0
    try:
        while held := list(islice(rows, _WRITE_ROWS)):
            parts.append(path.with_name(f"{path.name}.{len(parts)}"))
            pq.write_table(_table(held, types or {}), parts[-1])
            count += len(held)
        schema = common_schema(pq.read_schema(part) for part in parts)
        note = json.dumps(dict(provenance), default=text_of) if provenance else None
        schema = schema.with_metadata({"molscore": note} if note else None)
        with pq.ParquetWriter(path, schema) as writer:
            for part in parts:
                writer.write_table(dataset(part, schema=schema).to_table())
    finally:
        for part in parts:
            part.unlink(missing_ok=True)
    return count


def _table(rows: list[Row], types: Mapping[str, pa.DataType]) -> pa.Table:
    """Columns of rows that are held in memory."""
    named = any(row.name and "name" not in row.columns for row in rows)
    names = dict.fromkeys((["name"] if named else []) + [name for row in rows for name in row.columns])
    columns: dict[str, pa.Array] = {}
    for name in names:
        values = [row.columns.get(name, row.name if name == "name" else None) for row in rows]
        columns[name] = array_of(values, types.get(name))
    if any(row.molecule is not None for row in rows):
        columns |= zip(GEOMETRY, geometry_arrays([row.molecule for row in rows], np.float32), strict=True)
    return pa.table(columns)


def geometry_arrays(molecules: Sequence[Molecule | None], dtype: type) -> tuple[pa.Array, pa.Array]:
    """List arrays of the atomic numbers (N,) and the flat positions (3N,) in Å."""
    numbers = [None if m is None else m.numbers.astype(np.uint8) for m in molecules]
    flat = [None if m is None else m.positions.astype(dtype).ravel() for m in molecules]
    return pa.array(numbers, pa.list_(pa.uint8())), pa.array(flat, pa.list_(pa.from_numpy_dtype(dtype)))


def array_of(values: list[Any], kind: pa.DataType | None = None) -> pa.Array:
    """Array of the values as they are, of type `kind` where that will do, or of their text where they are of several
    kinds."""
    values = [value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value for value in values]
    for wanted in dict.fromkeys((kind, None, pa.uint64())):
        try:
            return pa.array(values, wanted)
        except (pa.ArrowException, OverflowError):
            continue
    return pa.array([None if value is None else text_of(value) for value in values], pa.string())


def common_schema(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """Fields of all schemas in order of appearance, of a type that holds both where they differ, else text."""
    types: dict[str, pa.DataType] = {}
    for name, kind in ((field.name, field.type) for schema in schemas for field in schema):
        pair = [pa.schema([(name, one)]) for one in (types.get(name, kind), kind)]
        try:
            types[name] = pa.unify_schemas(pair, promote_options="permissive").field(0).type
        except pa.ArrowException:
            types[name] = pa.string()
    return pa.schema(list(types.items()))
