"""Parts as one table: duplicates found, rows in the order of the input or best first, with DuckDB, out of core."""

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from tqdm import tqdm

from molscore.errors import InputError, OutputError, ParseError
from molscore.molecules.files import format_of, write
from molscore.molecules.files.parquet import common_schema
from molscore.molecules.files.record import counted, misread
from molscore.molecules.workers import cores
from molscore.screening.columns import COLUMNS, DUPLICATE, ETKDG, GIVEN, MMFF, OUTSIDE
from molscore.screening.rank.parts import (
    CONTRADICTED,
    HIDDEN,
    KEY,
    LABEL,
    LACKING,
    ROW,
    complete_parts,
    differences,
    given_name,
    read_manifest,
    read_part,
    rows_of,
)

__all__ = ["Merge", "Summary", "merged", "passing", "row_of_file", "shows_shapes"]

_MEMORY = "1GB"  # what DuckDB may take before it writes to disk
_BATCH_ROWS = 8192
_JUDGED = ("ok", OUTSIDE, DUPLICATE)
_FIRST, _FIRST_LABEL = "molscore_first", "molscore_first_label"
_NAMED = 5  # columns
_SHOWN = 100  # rows that do not parse and are looked into
_BREAK_TIES = f"log_likelihood DESC NULLS LAST, {ROW}"


def row_of_file(row: int) -> str:
    """How a message names a row, counted from 0: files count from 1, a header apart."""
    return f"row {row + 1}"


class Merge:
    """All parts of a job, in order, for the length of a ``with`` block: files, or the tables themselves.

    `named` is how messages name a row, counted from 0.
    What does not fit into memory goes to the folder for temporary files (``TMPDIR``).
    """

    def __init__(self, parts: Sequence[Path] | Sequence[pa.Table], named: Callable[[int], str] = row_of_file) -> None:
        self.parts, self._named = parts, named
        self._folder = tempfile.TemporaryDirectory(prefix="molscore-")
        settings = {"memory_limit": _MEMORY, "temp_directory": self._folder.name, "threads": cores()}
        self._database = duckdb.connect(config=settings)
        if isinstance(parts[0], pa.Table):
            self._database.register("parts", pa.concat_tables(parts))
            self._relation = "parts"
        else:
            self._relation = f"read_parquet({_listed(parts)}, union_by_name = true)"

    def __enter__(self) -> "Merge":
        judged = f"status IN {_JUDGED} AND {KEY} IS NOT NULL"
        known = f"SELECT {ROW} AS row, {KEY} AS key, {LABEL} AS label FROM {self._relation} WHERE {judged}"
        firsts = "SELECT key, min(row) AS first FROM known GROUP BY key HAVING count(*) > 1"
        self._run(
            f"CREATE TEMP TABLE repeated AS WITH known AS ({known}), firsts AS ({firsts}) "
            "SELECT known.row, first, earlier.label FROM known JOIN firsts USING (key) "
            "JOIN known earlier ON earlier.row = first WHERE known.row > first ORDER BY known.row"
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._database.close()
        self._folder.cleanup()

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return sum(pq.read_metadata(path).num_rows for path in self.parts)

    @property
    def types(self) -> dict[str, pa.DataType]:
        """Type of each column."""
        return {field.name: field.type for field in self._schema()}

    def in_order(self) -> Iterator[pa.Table]:
        """The parts one by one, duplicates marked."""
        for part in self.parts:
            table = part if isinstance(part, pa.Table) else read_part(part)
            if not len(table):
                continue
            start = table[ROW][0].as_py()
            within = f"row >= {start} AND row < {start + len(table)}"
            found = self._run(f"SELECT row, first, label FROM repeated WHERE {within}").fetchall()
            same = {row - start: self._same(first, label) for row, first, label in found}
            yield _marked(table, [same.get(place) for place in range(len(table))])

    def sorted(self, by: str) -> Iterator[pa.Table]:
        """Best first; ties by log-likelihood, then in order; then duplicates likewise, then rows without a number."""
        group = f'CASE WHEN "{by}" IS NULL THEN 2 WHEN {_FIRST} IS NOT NULL THEN 1 ELSE 0 END'
        yield from self._select(f'ORDER BY {group}, "{by}" DESC NULLS LAST, {_BREAK_TIES}')

    def best(self, by: str, n: int) -> Iterator[pa.Table]:
        """The first n of `sorted`, without duplicates and rows that have no such number."""
        fine = f'WHERE {_FIRST} IS NULL AND "{by}" IS NOT NULL'
        yield from self._select(f'{fine} ORDER BY "{by}" DESC, {_BREAK_TIES} LIMIT {int(n)}')

    def require(self, by: str) -> None:
        """Raise `InputError` unless there are numbers of that name to order by."""
        schema = pq.read_schema(self.parts[0])
        if by not in schema.names or schema.field(by).type != pa.float64():
            names = [f.name for f in schema if f.type == pa.float64() and f.name != "resolution"]
            raise InputError(f"these rows cannot be ordered by {by!r}; they have {', '.join(names)}")

    def _select(self, rest: str) -> Iterator[pa.Table]:
        schema = self._schema()
        spelled: dict[str, str] = {}
        for name in schema.names:
            if (other := spelled.setdefault(name.lower(), name)) != name:
                reason = f"the columns {other!r} and {name!r} differ in case alone: rename one, or leave --sort out"
                raise InputError(f"rows cannot be sorted: {reason}")
        names = f"p.*, r.first AS {_FIRST}, r.label AS {_FIRST_LABEL}"
        joined = f"SELECT {names} FROM {self._relation} p LEFT JOIN repeated r ON p.{ROW} = r.row"
        try:
            for batch in self._database.sql(f"SELECT * FROM ({joined}) {rest}").to_arrow_reader(_BATCH_ROWS):
                table = pa.Table.from_batches([batch])
                plain = pa.table([table[field.name].cast(field.type) for field in schema], schema=schema)
                firsts = zip(table[_FIRST].to_pylist(), table[_FIRST_LABEL].to_pylist(), strict=True)
                yield _marked(plain, [None if row is None else self._same(row, label) for row, label in firsts])
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise OutputError(_reason(error)) from None

    def _same(self, first: int, label: str | None) -> str:
        """What a duplicate says of the row that had the molecule before."""
        return f"same molecule as {self._named(first)}" + (f", {label}" if label else "")

    def _schema(self) -> pa.Schema:
        schemas = (part.schema if isinstance(part, pa.Table) else pq.read_schema(part) for part in self.parts)
        return common_schema(schema.remove_metadata() for schema in schemas)

    def _run(self, query: str) -> duckdb.DuckDBPyConnection:
        try:
            return self._database.execute(query)
        except duckdb.Error as error:
            raise OutputError(_reason(error)) from None


def _marked(table: pa.Table, same: Sequence[str | None]) -> pa.Table:
    """The table with what its duplicates say, one string a row, None for a row that is none."""
    told = pa.array(same, pa.string())
    repeated = pc.is_valid(told)
    for name, value in (("status", DUPLICATE), ("error", told)):
        table = table.set_column(table.column_names.index(name), name, pc.if_else(repeated, value, table[name]))
    return table


def _listed(paths: Sequence[Path]) -> str:
    """The files as a list of SQL strings in which nothing is a pattern or ends the string."""
    return "[" + ", ".join("'" + _literal(os.fspath(path)) + "'" for path in paths) + "]"


def _literal(path: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path).replace("'", "''")


def _reason(error: Exception) -> str:
    return f"the parts cannot be merged: {str(error).strip().splitlines()[0]}"


@dataclass
class Summary:
    """Rows by status, given geometries by what they were compared with, those that were not judged, and input columns
    that have another name."""

    statuses: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    lacking: int = 0  # rows whose 3D positions lack hydrogens, judged in others
    contradicted: int = 0  # rows whose SMILES string is of another molecule than their geometry or bonds
    renamed: dict[str, str] = field(default_factory=dict)
    # columns of the input of some rows whose SMILES string does not parse
    unparsable: list[dict[str, Any]] = field(default_factory=list)

    def counting(self, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """The same tables, counted as they pass."""
        for table in tables:
            self.statuses.update(table["status"].to_pylist())
            given = table.filter(pc.equal(table["geometry"], GIVEN))
            self.kinds.update(given["reference"].drop_null().to_pylist())
            self.contradicted += pc.sum(table[CONTRADICTED]).as_py() or 0
            self.lacking += pc.sum(pc.and_(table[LACKING], pc.equal(table["geometry"], ETKDG))).as_py() or 0
            names = [name for name in table.column_names if name not in HIDDEN and given_name(name) != name]
            self.renamed |= {given_name(name): name for name in names}
            if (room := _SHOWN - len(self.unparsable)) > 0:
                names = [name for name in table.column_names if name not in (*COLUMNS, *HIDDEN)]
                bad = table.filter(pc.equal(table["status"], ParseError.status)).slice(0, room).select(names)
                self.unparsable += bad.rename_columns([given_name(name) for name in names]).to_pylist()
            yield table

    def lines(self, by: str, resolution: float, tells_kinds: bool = False) -> list[str]:
        """How many rows, how many of each status; how many given geometries were not judged, or compared with made
        ones, and whether by what they themselves tell; the order; which input columns have another name."""
        statuses = self.statuses
        bad = ", ".join(f"{status} {n}" for status, n in sorted(statuses.items()) if status not in _JUDGED)
        first = f"{counted(statuses.total(), 'row')}, {statuses['ok']} judged at a resolution of {resolution:g} Å"
        first += f", {statuses[DUPLICATE]} more of the same molecules" if statuses[DUPLICATE] else ""
        first += f", {statuses[OUTSIDE]} outside the data, without a percentile" if statuses[OUTSIDE] else ""
        lines = [first + (f"; not judged: {bad}" if bad else "")]
        lines += filter(None, [misread(self.unparsable, statuses[ParseError.status], statuses.total())])
        if self.lacking:
            lines.append(
                f"{counted(self.lacking, 'record')} in 3D without all hydrogens, judged in new geometries (ETKDGv3, "
                "MMFF94s) and not in their own; add hydrogens with positions to keep these"
            )
        if self.contradicted:
            rows = counted(self.contradicted, "row")
            lines.append(
                f"{rows} with a SMILES string of another molecule than the geometry or bonds, which are judged"
            )
        if n := self.kinds[MMFF]:
            given = counted(n, "given geometry", "given geometries")
            why = ", as they are its minima; --geometry compares them with others" if tells_kinds else ""
            lines.append(f"{given} compared with those of a force field ({MMFF}){why}")
        lines.append(f"order: {by}")
        if self.renamed:
            named = [f"{old} -> {new}" for old, new in self.renamed.items()]
            more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
            lines.append(f"input columns renamed: {', '.join(named[:_NAMED])}{more}")
        return lines


def passing(tables: Iterator[pa.Table], total: int, shown: bool) -> Iterator[pa.Table]:
    """The same tables, with a bar for their rows."""
    with tqdm(unit="row", desc="write", total=total, disable=None if shown else True, leave=False) as bar:
        for table in tables:
            yield table
            bar.update(len(table))


def merged(
    folders: Sequence[Path], output: str, by: str | None = None, sort: bool = False, n: int | None = None
) -> list[str]:
    """Write the rows of all parts: in the order of the input, best first, or the best n alone. Says what was written.

    Provenance is that of the ranking. Raises `InputError` for folders that are of several jobs or not complete.
    """
    manifest = _manifest(folders)
    asked, by = by is not None, by or manifest["by"]
    resolution = manifest["identity"]["resolution"]
    with Merge(complete_parts(list(folders))) as merge:
        if asked or sort or n is not None:
            merge.require(by)
        tables = merge.in_order() if n is None and not sort else merge.sorted(by) if n is None else merge.best(by, n)
        summary = Summary()
        optional, shapes = manifest["optional"], shows_shapes(output)
        tables = passing(summary.counting(tables), merge.n_rows if n is None else n, shown=True)
        rows = (row for table in tables for row in rows_of(table, optional, shapes))
        count = write(output, rows, manifest["provenance"], merge.types)
    if n is not None:
        beyond = f", {outside} of them outside the data" if (outside := summary.statuses[OUTSIDE]) else ""
        rows = counted(merge.n_rows, "row")
        return [f"the best {count} of {rows} by {by}, at a resolution of {resolution:g} Å{beyond}"]
    return summary.lines(by, resolution, manifest["tells_kinds"])


def shows_shapes(output: str) -> bool:
    """Whether a file's format is there to hold geometries; a table of SMILES is not made larger by them."""
    return output != "-" and format_of(output)[0] in ("sdf", "xyz")


def _manifest(folders: Sequence[Path]) -> dict[str, Any]:
    """What the parts are of; raises `InputError` unless all folders agree."""
    found = []
    for folder in folders:
        if folder.is_file():
            raise InputError(
                f"{folder} is a file: merge and top take the folders of parts that `molscore rank LIBRARY -o FOLDER/` "
                "writes; the best rows of one file come first with `molscore rank FILE --sort`"
            )
        if (manifest := read_manifest(folder)) is None:
            raise InputError(f"{folder} holds no parts of a ranking (there is no manifest.json in it)")
        found.append(manifest)
        if others := list(differences(found[0]["identity"], manifest["identity"])):
            raise InputError(f"{folders[0]} and {folder} are of two jobs: {'; '.join(others)}")
    return found[0]
