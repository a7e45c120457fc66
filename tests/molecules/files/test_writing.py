"""`write`: every row, in order, in one step, with its provenance."""

import csv
import json
import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from molscore.errors import InputError, OutputError
from molscore.molecules.files import Record, read, write
from molscore.molecules.files.record import as_row, text_of

SUFFIXES = (".sdf", ".csv", ".tsv", ".parquet", ".xyz", ".smi", ".sdf.gz", ".csv.gz", ".tsv.gz", ".xyz.gz", ".smi.gz")
PROVENANCE = {"model": "qm9", "version": "1.0", "command": "molscore rank a.csv", "seed": 0, "resolution": 0.05}


@pytest.fixture
def rows(library, scattered) -> list:
    """Good molecules, one without bonds, and rows without a molecule."""
    good = [(molecule, {"percentile": 10.5 * i, "status": "ok"}) for i, molecule in enumerate(library.values())]
    return [*good, (None, {"percentile": math.nan, "status": "no_conformer", "error": "why"}), scattered]


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".extxyz", ".SDF", ".CSV.GZ"])
def test_every_format_reads_what_it_writes_no_row_is_lost_and_the_bytes_repeat(rows, tmp_path, suffix) -> None:
    path, again = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    assert write(path, rows) == write(again, rows) == len(rows)
    assert path.read_bytes() == again.read_bytes()
    found = list(read(path))
    assert [r.ok for r in found[:-1]] == [True] * (len(rows) - 2) + [False] and len(found) == len(rows)
    assert all(r.molecule is not None or r.smiles for r in found[:-2])
    if not suffix.startswith(".smi"):
        assert [float(r.columns["percentile"]) for r in found[:-2]] == [10.5 * i for i in range(len(rows) - 2)]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_provenance_is_kept(rows, tmp_path, suffix) -> None:
    path = tmp_path / f"a{suffix}"
    write(path, rows, PROVENANCE)
    sidecar = tmp_path / f"a{suffix}.provenance.json"
    assert sidecar.exists() == (suffix[:4] in (".csv", ".tsv", ".smi"))
    if sidecar.exists():
        assert json.loads(sidecar.read_text()) == PROVENANCE
        write(path, rows)
        assert not sidecar.exists()
    elif suffix != ".parquet":
        for record in read(path):
            held = {k: v for k, v in record.columns.items() if k.startswith("molscore_")}
            assert held == {f"molscore_{key}": str(value) for key, value in PROVENANCE.items()}
        write(path, list(read(path)), {"model": "new"})
        assert {r.columns["molscore_model"] for r in read(path)} == {"new"}, "new provenance replaces old"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_failure_on_the_way_leaves_what_was_there(water, tmp_path, suffix) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"precious")

    def failing():
        yield water
        raise RuntimeError("the model died")

    with pytest.raises(RuntimeError):
        write(path, failing(), PROVENANCE)
    assert path.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_where_nothing_can_be_written_no_row_is_made(tmp_path, suffix) -> None:
    def never():
        pytest.fail("rows must not be made for a file that cannot be written")
        yield

    with pytest.raises(OutputError, match="cannot be written.*no such file or directory"):
        write(tmp_path / "missing" / f"a{suffix}", never())
    (tmp_path / f"a{suffix}").mkdir()
    with pytest.raises(OutputError, match="not a regular file"):
        write(tmp_path / f"a{suffix}", never())
    for name in ("a.txt", "a", "a.parquet.gz"):
        with pytest.raises(OutputError, match="unknown file type"):
            write(tmp_path / name, never())


@pytest.mark.parametrize(("suffix", "separator"), [(".csv", ","), (".tsv", "\t")])
def test_a_table_is_what_pandas_reads(rows, tmp_path, suffix, separator) -> None:
    path = tmp_path / f"a{suffix}"
    write(path, rows, PROVENANCE)
    frame = pd.read_csv(path, sep=separator)
    assert list(frame.columns) == ["smiles", "percentile", "status", "error", "name"]
    assert frame["percentile"].tolist()[:3] == [0.0, 10.5, 21.0]
    assert frame["smiles"].tolist()[1] == "CCO"
    assert frame["error"].tolist()[-2] == "why"
    assert frame["percentile"].isna().tolist()[-2:] == [True, True]


def test_input_columns_come_back_in_order(tmp_path) -> None:
    source, target = tmp_path / "a.csv", tmp_path / "b.csv"
    source.write_text("zeta,SMILES,alpha\n1,CCO,x\n2,C(,y\n")
    write(target, ((r.molecule, {**r.columns, "status": r.status}) for r in read(source)))
    assert target.read_text() == "zeta,SMILES,alpha,status\n1,CCO,x,ok\n2,C(,y,unparsable\n"


def test_records_and_molecules_are_rows(water) -> None:
    assert as_row(water).columns == {}
    assert as_row(Record(0, water, None, {"a": 1})).columns == {"a": 1}
    assert as_row((None, {"a": 1})).molecule is None
    for bad in ("CCO", (), ("CCO", {}), 3):
        with pytest.raises(InputError, match="is not a row to write"):
            as_row(bad)


def test_csv_goes_to_standard_output(water, capsys) -> None:
    assert write("-", [(water, {"id": 1})]) == 1
    assert capsys.readouterr().out == "smiles,name,id\nO,water,1\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""), (math.nan, ""), (np.float64("nan"), ""), (0.1, "0.1"), (np.float32(0.1), "0.1"),
        (np.int64(3), "3"), (torch.tensor(2.5), "2.5"), (True, "True"), ("x", "x"),
    ],
)  # fmt: skip
def test_values_are_spelled_so_that_they_read_back(value, text) -> None:
    assert text_of(value) == text


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.text(st.characters(codec="utf-8"))), max_size=5))
def test_any_values_survive_csv(tmp_path_factory, columns) -> None:
    """All but the kind of a line break."""
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    write(path, [(None, {"id": i} | row) for i, row in enumerate(columns)])
    names = list(dict.fromkeys(["id", *(name for row in columns for name in row)])) if columns else []
    with path.open(encoding="utf-8", newline="") as file:
        header, *found = list(csv.reader(file)) or [[]]
    assert header == names
    plain = [{k: v.replace("\r\n", "\n").replace("\r", "\n") for k, v in row.items()} for row in columns]
    assert found == [[str(i)] + [row.get(name, "") for name in names[1:]] for i, row in enumerate(plain)]
