"""Parquet tables."""

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from molscore.errors import InputError
from molscore.molecules.files import Record, parquet, read, write
from molscore.molecules.files.parquet import scan_parquet


@pytest.fixture
def rows_of(tmp_path) -> Callable[..., list[Record]]:
    """What is read of a table with these columns."""

    def reading(**columns: object) -> list[Record]:
        pq.write_table(pa.table(columns), tmp_path / "table.parquet")
        return list(read(tmp_path / "table.parquet"))

    return reading


def test_what_is_written_reads_back_as_flat_arrays(library, tmp_path) -> None:
    path = tmp_path / "a.parquet"
    rows = [(m, {"smiles": s, "n": m.n_atoms}) for s, m in library.items()]
    assert write(path, rows, provenance={"model": "qm9", "seed": 0}) == len(rows)
    schema = pq.read_schema(path)
    assert (str(schema.field("numbers").type), str(schema.field("positions").type)) == (
        "list<element: uint8>", "list<element: float>",
    )  # fmt: skip
    assert json.loads(schema.metadata[b"molscore"]) == {"model": "qm9", "seed": 0}
    assert pd.read_parquet(path)["smiles"].tolist() == list(library)
    for row, (molecule, columns) in zip(read(path), rows, strict=True):
        assert (row.smiles, row.columns["n"]) == (columns["smiles"], columns["n"]) and "positions" not in row.columns
        assert row.molecule.numbers.tolist() == molecule.numbers.tolist()
        np.testing.assert_array_equal(row.molecule.positions, molecule.positions.astype(np.float32))
    assert write(path, []) == 0 and pq.read_table(path).num_rows == 0


@pytest.mark.parametrize(
    ("smiles", "statuses"),
    [
        (pa.array(["CCO", "C(", None, ""]), ["ok"] + ["unparsable"] * 3),
        (pa.array([b"CCO", b"O", b"\xff"]), ["ok", "ok", "unparsable"]),
        (pa.array(["CCO", "O"]).dictionary_encode(), ["ok", "ok"]),
    ],
)
def test_smiles_alone_may_be_text_bytes_or_a_category(rows_of, smiles, statuses) -> None:
    rows = rows_of(SMILES=smiles, id=range(len(smiles)))
    assert [row.status for row in rows] == statuses and rows[0].smiles == "CCO"
    assert [row.columns["id"] for row in rows] == list(range(len(smiles)))


def test_bad_geometries_are_bad_rows(rows_of) -> None:
    nan, OH = float("nan"), [8, 1]
    positions = [[0.0, 0, 0, 0, 0, 1], [0.0, 0, 0], [0.0, 0, 0, 0, 0, nan], None, [], [0.0, 0, 0, 0, None, 1]]
    found = [row.status for row in rows_of(numbers=[OH, OH, OH, OH, [], OH], positions=positions)]
    assert found == ["ok", "bad_positions", "bad_positions", "unparsable", "too_small", "bad_positions"]
    assert [row.status for row in rows_of(numbers=[8, 1], positions=["a", "b"])] == ["bad_positions"] * 2
    no_triples = [[[0.0, 0], [0, 0, 0, 1]], [[0.0, 0, 0], [0, 0, 1]]]
    assert [row.status for row in rows_of(numbers=[OH, OH], positions=no_triples)] == ["bad_positions", "ok"]


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.float64()),
        pa.list_(pa.list_(pa.float64())),
        pa.list_(pa.list_(pa.float32(), 3)),
        pa.large_list(pa.large_list(pa.float64())),
        pa.list_(pa.list_(pa.float64(), 3), 3),
    ],
)
def test_positions_may_be_nested(water, rows_of, kind) -> None:
    positions = water.positions if pa.types.is_nested(kind.value_type) else water.positions.ravel()
    (row,) = rows_of(numbers=[water.numbers.tolist()], positions=pa.array([positions.tolist()], kind))
    np.testing.assert_allclose(row.molecule.positions, water.positions, atol=1e-6)


def test_columns_keep_their_type_where_it_is_known(tmp_path) -> None:
    table = pa.table(
        {
            "smiles": pa.array([b"CCO", b"O"], pa.binary()),
            "uint64": pa.array([2**64 - 1, None], pa.uint64()),
            "int8": pa.array([1, None], pa.int8()),
            "float32": pa.array([1.1, None], pa.float32()),
            "duration": pa.array([123_456_789, None], pa.duration("ns")),
            "time": pa.array([1_700_000_000_123_456_789, None], pa.timestamp("ns", tz="UTC")),
            "map": pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int32())),
            "pair": pa.array([[1.0, 2.0], None], pa.list_(pa.float32(), 2)),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    write(tmp_path / "b.parquet", read(tmp_path / "a.parquet"), types={f.name: f.type for f in table.schema})
    assert pq.read_table(tmp_path / "b.parquet").equals(table)
    write(tmp_path / "c.parquet", read(tmp_path / "a.parquet"))
    control = pq.read_table(tmp_path / "c.parquet")
    assert not control.equals(table) and control["uint64"].to_pylist() == [2**64 - 1, None]


def test_what_is_no_table_of_molecules(tmp_path) -> None:
    path = tmp_path / "a.parquet"
    for content in (b"", b"not parquet", b"PAR1" * 4):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"a\.parquet: cannot be read"):
            read(path)
    pd.DataFrame({"id": [1], "name": ["x"]}).to_parquet(path)
    with pytest.raises(InputError, match="its columns are id, name"):
        read(path)
    with pytest.raises(InputError, match="no column 'structure'"):
        scan_parquet(str(path), "structure")


def test_a_damaged_file_is_an_input_error(tmp_path) -> None:
    path = tmp_path / "a.parquet"
    pd.DataFrame({"smiles": ["C" * (i % 50 + 1) for i in range(5000)]}).to_parquet(path, compression=None)
    content = bytearray(path.read_bytes())
    content[4:400] = b"\xff" * 396
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.parquet"):
        list(read(path))


def test_columns_that_change_on_the_way_are_joined(water, tmp_path, monkeypatch) -> None:
    """Rows go out in chunks: one that brings a column, lacks one, or has another type in it must not lose anything."""
    monkeypatch.setattr(parquet, "_WRITE_ROWS", 2)
    rows = [(None, {"a": 1}), (None, {"a": 2}), (water, {"a": 2.5}), (None, {"b": "x"}), (None, {"a": "text"})]
    path = tmp_path / "a.parquet"
    assert write(path, rows) == 5
    table = pq.read_table(path)
    assert table["a"].to_pylist() == ["1", "2", "2.5", None, "text"]
    assert table["b"].to_pylist() == [None, None, None, "x", None]
    assert [r.molecule is not None for r in read(path)] == [False, False, True, False, False]
    assert list(tmp_path.iterdir()) == [path]
    write(path, [(None, {"a": value}) for value in (1, 2, 2.5, None)])
    assert pq.read_table(path)["a"].to_pylist() == [1.0, 2.0, 2.5, None]
