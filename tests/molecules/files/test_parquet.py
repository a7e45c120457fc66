"""Parquet tables."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from molscore.errors import InputError
from molscore.molecules.files import parquet, read, write
from molscore.molecules.files.parquet import scan_parquet


def test_geometries_and_columns_read_back(library, tmp_path) -> None:
    path = tmp_path / "a.parquet"
    write(path, [(m, {"smiles": s, "n": m.n_atoms}) for s, m in library.items()])
    rows = list(read(path))
    assert [(r.smiles, r.columns["n"]) for r in rows] == [(s, m.n_atoms) for s, m in library.items()]
    for row, molecule in zip(rows, library.values(), strict=True):
        assert row.molecule.numbers.tolist() == molecule.numbers.tolist()
        np.testing.assert_array_equal(row.molecule.positions, molecule.positions.astype(np.float32))
        assert "positions" not in row.columns


def test_the_schema_is_flat_arrays_and_pandas_reads_it(water, tmp_path) -> None:
    path = tmp_path / "a.parquet"
    write(path, [water], provenance={"model": "qm9", "seed": 0})
    schema = pq.read_schema(path)
    assert (schema.field("numbers").type, schema.field("positions").type) == (
        pa.list_(pa.uint8()),
        pa.list_(pa.float32()),
    )
    assert json.loads(schema.metadata[b"molscore"]) == {"model": "qm9", "seed": 0}
    assert pd.read_parquet(path)["name"].tolist() == ["water"]


def test_smiles_alone(tmp_path) -> None:
    path = tmp_path / "a.parquet"
    pd.DataFrame({"SMILES": ["CCO", "C(", None, ""], "id": [1, 2, 3, 4]}).to_parquet(path)
    rows = list(read(path))
    assert [(r.smiles, r.status, r.columns["id"]) for r in rows] == [
        ("CCO", "ok", 1),
        ("C(", "unparsable", 2),
        (None, "unparsable", 3),
        ("", "unparsable", 4),
    ]


def test_bad_geometries_are_bad_rows(tmp_path) -> None:
    path = tmp_path / "a.parquet"
    nan = float("nan")
    positions = [[0.0, 0, 0, 0, 0, 1], [0.0, 0, 0], [0.0, 0, 0, 0, 0, nan], None, [], [0.0, 0, 0, 0, None, 1]]
    numbers = [[8, 1], [8, 1], [8, 1], [8, 1], [], [8, 1]]
    pq.write_table(pa.table({"numbers": numbers, "positions": positions}), path)
    statuses = [r.status for r in read(path)]
    assert statuses == ["ok", "bad_positions", "bad_positions", "unparsable", "too_small", "bad_positions"]


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
def test_positions_may_be_nested(water, tmp_path, kind) -> None:
    positions = water.positions if pa.types.is_nested(kind.value_type) else water.positions.ravel()
    table = {"numbers": [water.numbers.tolist()], "positions": pa.array([positions.tolist()], kind)}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    (row,) = read(tmp_path / "a.parquet")
    np.testing.assert_allclose(row.molecule.positions, water.positions, atol=1e-6)


def test_nested_positions_that_are_no_triples_are_refused(tmp_path) -> None:
    table = {"numbers": [[8, 1]] * 2, "positions": [[[0.0, 0], [0, 0, 0, 1]], [[0.0, 0, 0], [0, 0, 1]]]}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    assert [r.status for r in read(tmp_path / "a.parquet")] == ["bad_positions", "ok"]


def test_smiles_may_be_binary_or_a_category(tmp_path) -> None:
    for column in (pa.array([b"CCO", b"O"]), pa.array(["CCO", "O"]).dictionary_encode(), pa.array([b"CCO", b"\xff"])):
        pq.write_table(pa.table({"smiles": column}), tmp_path / "a.parquet")
        first, second = read(tmp_path / "a.parquet")
        assert first.smiles == "CCO" and (second.smiles == "O" or second.status == "unparsable")


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


def test_columns_that_are_not_lists_of_numbers(tmp_path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"numbers": [8, 1], "positions": ["a", "b"]}), path)
    assert [r.status for r in read(path)] == ["bad_positions"] * 2


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


def test_integers_and_floats_join_as_floats(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(parquet, "_WRITE_ROWS", 1)
    path = tmp_path / "a.parquet"
    write(path, [(None, {"a": 1}), (None, {"a": 2.5}), (None, {"a": None})])
    assert pq.read_table(path)["a"].to_pylist() == [1.0, 2.5, None]


def test_no_rows_make_a_readable_file(tmp_path) -> None:
    path = tmp_path / "a.parquet"
    assert write(path, []) == 0
    assert pq.read_table(path).num_rows == 0
