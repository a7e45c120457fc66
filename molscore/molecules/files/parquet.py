"""Parquet tables: geometries as list columns ``numbers`` and ``positions``, SMILES as text, the rest as it comes."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from molscore.errors import InputError, MolscoreError, ParseError, PositionError
from molscore.molecules.atomic import reason_of
from molscore.molecules.files.columns import smiles_column
from molscore.molecules.files.record import Make, Record, bad_record, with_stated
from molscore.molecules.files.row import Row, text_of
from molscore.molecules.molecule import Molecule

__all__ = ["array_of", "common_schema", "geometry_arrays", "scan_parquet", "write_parquet"]

_GEOMETRY = ("numbers", "positions")
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
    names = table.schema_arrow.names
    geometry = set(_GEOMETRY) <= set(names)
    try:
        column = smiles_column(names, wanted, path)
    except InputError:
        if wanted is not None or not geometry:
            table.close()
            raise
        column = None
    return _rows(table, path, geometry, column), table.metadata.num_rows


class _Batch:
    """Some rows, turned into Python objects when the first of them is asked for."""

    def __init__(self, batch: pa.RecordBatch, start: int, geometry: bool, column: str | None) -> None:
        self.batch, self.start, self.geometry, self.column = batch, start, geometry, column

    @cached_property
    def listed(self) -> list[dict[str, Any]]:
        """Every column but the geometry."""
        kept = [name for name in self.batch.schema.names if not (self.geometry and name in _GEOMETRY)]
        return self.batch.select(kept).to_pylist() if kept else [{} for _ in range(len(self.batch))]

    def record(self, index: int) -> Record:
        """Record of one of the rows."""
        columns = self.listed[index]
        pair = [self.batch.column(name)[index] for name in _GEOMETRY] if self.geometry else []
        return _record(self.start + index, pair, None if self.column is None else columns[self.column], columns)


def _rows(table: pq.ParquetFile, path: str, geometry: bool, column: str | None) -> Iterator[Make]:
    row = 0
    with table:
        try:
            for batch in table.iter_batches(_READ_ROWS):
                held = _Batch(batch, row, geometry, column)
                for index in range(len(batch)):
                    yield partial(held.record, index)
                    row += 1
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{path}: damaged after row {row - 1} ({reason_of(error)})") from None


def _record(row: int, pair: list[pa.Scalar], smiles: Any, columns: dict[str, Any]) -> Record:
    """Record of one row: its geometry if it has one, else its SMILES."""
    if isinstance(smiles, bytes):
        smiles = text_of(smiles)
    if pair and all(value.is_valid for value in pair):
        try:
            numbers, positions = (_array(value) for value in pair)
            if positions.size != 3 * numbers.size:
                raise PositionError(f"{numbers.size} atoms have {positions.size} coordinates, not {3 * numbers.size}")
            name = columns.get("name")
            molecule = Molecule(numbers, positions.reshape(-1, 3), name if isinstance(name, str) else "")
            molecule = with_stated(molecule, smiles, columns)
        except MolscoreError as error:
            return bad_record(row, error, columns)
        smiles = smiles if isinstance(smiles, str) and smiles else None
        return Record(row, molecule, smiles, columns, bonds=_bonds(columns.get("bonds")))
    if isinstance(smiles, str):
        return Record(row, None, smiles.strip(), columns)
    return bad_record(row, ParseError("the row has neither a geometry nor a SMILES string"), columns)


def _array(value: pa.Scalar) -> np.ndarray:
    """Flat array of a list of numbers, or of triples of them."""
    try:
        values = getattr(value, "value", value).values  # an extension, such as a tensor, holds a list
        if hasattr(values, "flatten") and pa.types.is_nested(values.type):
            triples, values = values, values.flatten()
            if values.null_count or pc.any(pc.not_equal(pc.list_value_length(triples), 3)).as_py():
                raise PositionError("the positions of some atom are not three numbers")
        return np.asarray(values.to_pylist() if values.null_count else values.to_numpy(zero_copy_only=False))
    except (AttributeError, pa.ArrowException):
        raise PositionError("numbers and positions are not lists of numbers") from None


def _bonds(flat: Any) -> np.ndarray | None:
    """Bonds ``(E, 3)`` of a flat list of two atoms and an order each, or None for anything else."""
    if not isinstance(flat, list) or not flat or len(flat) % 3 or not all(isinstance(value, int) for value in flat):
        return None
    return np.array(flat, dtype=np.uint16).reshape(-1, 3) if min(flat) >= 0 and max(flat) < 2**16 else None


def write_parquet(
    path: Path,
    rows: Iterable[Row],
    provenance: Mapping[str, Any] | None,
    types: Mapping[str, pa.DataType] | None = None,
) -> int:
    """Write rows in bounded memory, provenance as JSON under the schema key ``molscore``; returns how many.

    Columns have their type in `types` where there is one that fits, else the one that their values suggest. Chunks
    whose columns differ go to files of their own, which are then joined: a column that a chunk lacks is null there, one
    whose types cannot be reconciled becomes text.
    """
    parts: list[Path] = []
    writer: pq.ParquetWriter | None = None
    count = 0
    try:
        for table in _tables(rows, types or {}):
            if writer is None or not writer.schema.equals(table.schema):
                if writer is not None:
                    writer.close()
                parts.append(path.with_name(f"{path.name}.{len(parts)}"))
                writer = pq.ParquetWriter(parts[-1], table.schema)
            writer.write_table(table)
            count += len(table)
        if writer is not None:
            writer.close()
        _join(path, parts, provenance)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)
    return count


def _tables(rows: Iterable[Row], types: Mapping[str, pa.DataType]) -> Iterator[pa.Table]:
    """Tables of at most `_WRITE_ROWS` rows."""
    held: list[Row] = []
    for row in rows:
        held.append(row)
        if len(held) == _WRITE_ROWS:
            yield _table(held, types)
            held = []
    if held:
        yield _table(held, types)


def _table(rows: list[Row], types: Mapping[str, pa.DataType]) -> pa.Table:
    """Columns of rows that are held in memory."""
    named = any(row.name and "name" not in row.columns for row in rows)
    names = dict.fromkeys((["name"] if named else []) + [name for row in rows for name in row.columns])
    columns: dict[str, pa.Array] = {}
    for name in names:
        fallback = (lambda row: row.name) if name == "name" else (lambda row: None)
        columns[name] = array_of([row.columns.get(name, fallback(row)) for row in rows], types.get(name))
    if any(row.molecule is not None for row in rows):
        columns["numbers"], columns["positions"] = geometry_arrays([row.molecule for row in rows], np.float32)
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


def _join(path: Path, parts: list[Path], provenance: Mapping[str, Any] | None) -> None:
    """One file of all parts, with the provenance in its schema."""
    schema = common_schema([pq.read_schema(part) for part in parts])
    note = json.dumps(dict(provenance), default=text_of) if provenance else None
    schema = schema.with_metadata({"molscore": note} if note else None)
    with pq.ParquetWriter(path, schema) as writer:
        for part in parts:
            with pq.ParquetFile(part) as source:
                for index in range(source.num_row_groups):
                    table = source.read_row_group(index)
                    arrays = [
                        table[field.name].cast(field.type)
                        if field.name in table.column_names
                        else pa.nulls(len(table), field.type)
                        for field in schema
                    ]
                    writer.write_table(pa.table(arrays, schema=schema))


def common_schema(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """Fields of all schemas in order of appearance."""
    fields: dict[str, pa.DataType] = {}
    for field in (field for schema in schemas for field in schema):
        known = fields.setdefault(field.name, field.type)
        if known != field.type:
            try:
                pair = [pa.schema([(field.name, kind)]) for kind in (known, field.type)]
                fields[field.name] = pa.unify_schemas(pair, promote_options="permissive").field(0).type
            except pa.ArrowException:
                fields[field.name] = pa.string()
    return pa.schema(list(fields.items()))
