"""`read`: every format by its suffix, and what cannot be read."""

import bz2
import gzip
import io
import sys
import tracemalloc
from dataclasses import replace
from itertools import islice

import numpy as np
import pandas as pd
import pytest
from rdkit import Chem

from molscore.errors import InputError, MolscoreError
from molscore.molecules.chem import from_smiles
from molscore.molecules.conformers import embed
from molscore.molecules.convert import records_of
from molscore.molecules.files import read, record, scan, write
from molscore.molecules.files.record import text_of
from tests import tiny

SUFFIXES = (".smi", ".csv", ".sdf", ".xyz", ".extxyz", ".smi.gz", ".csv.gz", ".sdf.gz", ".xyz.gz", ".parquet")


UNKNOWN = r"unknown file type; use \.sdf \.csv \.tsv"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        *((name, "smiles\nCCO\n", UNKNOWN) for name in ("a.txt", "a", "a.gz", "a.parquet.gz", "a.csv.zip", ".csv")),
        ("a.csv", b"PK\x03\x04...", r"a\.csv is .*ZIP archive or an Excel"),
        ("a.csv", bz2.compress(b"smiles\nO\n"), r"a\.csv is .*bzip2"),
        ("a.csv", b"PAR1...", r"a\.csv is .*Parquet"),
        ("b.csv.gz", gzip.compress(b"smiles\n" + b"CCO\n" * 1000, mtime=0)[:30], r"b\.csv\.gz: cannot be read"),
    ],
)
def test_files_of_another_kind_or_damaged_say_what_is_wrong(records, name, content, reason) -> None:
    with pytest.raises(InputError, match=reason):
        records(name, content)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_missing_empty_and_unreadable_files(tmp_path, suffix) -> None:
    path = tmp_path / f"a{suffix}"
    with pytest.raises(InputError, match=r"a\..*cannot be read.*no such file"):
        read(path)
    path.write_bytes(b"")
    with pytest.raises(InputError, match="empty|0 bytes"):
        read(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        read(path)


def test_the_first_bytes_tell_gzip_and_utf16(records, monkeypatch) -> None:
    text = "smiles,note\nCCO,é\nO,y\n"
    utf8, utf16, tabbed = text.encode(), text.encode("utf-16"), text.replace(",", "\t").encode("utf-16")
    for content in (utf8, utf16, tabbed, text.encode("latin-1"), gzip.compress(utf8), gzip.compress(utf16)):
        for name in ("a.csv", "a.csv.gz"):
            rows = records(name, content)
            assert [(r.smiles, r.columns["note"]) for r in rows] == [("CCO", "é"), ("O", "y")]
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        assert [r.smiles for r in read("-")] == ["CCO", "O"]


@pytest.mark.parametrize(
    ("text", "column", "smiles"),
    [
        ("id,smiles\n1,CCO\n2,O\n", None, ["CCO", "O"]),
        ("smiles\nCCO\nO\n", None, ["CCO", "O"]),
        ("CCO ethanol\nO water\n", None, ["CCO", "O"]),
        ("CCO\nO\n", None, ["CCO", "O"]),
        ("id,drug\n1,CCO\n", "drug", ["CCO"]),
        (Chem.MolToMolBlock(Chem.MolFromSmiles("CCO")), None, ["CCO"]),
        ("ethanol" + Chem.MolToV3KMolBlock(Chem.MolFromSmiles("CCO")), None, ["CCO"]),
        ("3\nsmiles=O\nO 0 0 0\nH 0.76 0.59 0\nH -0.76 0.59 0\n", None, ["O"]),
    ],
)
def test_standard_input_is_told_by_its_first_lines(monkeypatch, text, column, smiles) -> None:
    stream = io.TextIOWrapper(io.BytesIO(text.encode()))
    monkeypatch.setattr(sys, "stdin", stream)
    assert [r.smiles for r in read("-", column)] == smiles
    assert not stream.buffer.closed


def test_standard_input_may_be_empty_or_lack_the_column(monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(InputError, match="standard input is empty"):
        read("-")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"id,x\n1,CCO\n")))
    with pytest.raises(InputError, match="no column 'drug'; its columns are id, x"):
        read("-", "drug")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"1\n\nHe 0 0 0\n")))
    with pytest.raises(InputError, match="no table"):
        read("-", "drug")


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".xyz", ".parquet"])
def test_reading_streams(water, tmp_path, suffix) -> None:
    """Memory does not grow with the file: the rows of ten chunks do not fit into what reading them takes."""

    n_rows, width = 850, 8000
    path = tmp_path / f"a{suffix}"
    write(path, ((water, {"smiles": "O", "note": f"row {i} " + "x" * width}) for i in range(n_rows)))
    list(islice(read(path), 2))
    tracemalloc.start()
    try:
        assert sum(1 for _ in read(path)) == n_rows
        streaming = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        assert len(list(read(path))) == n_rows
        holding = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert streaming < 6_500_000 < n_rows * width < holding


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_scanned_rows_become_the_records_that_are_read(library, tmp_path, suffix) -> None:
    path = tmp_path / f"a{suffix}"
    write(path, [(molecule, {"number": i}) for i, molecule in enumerate(library.values())])
    made = [make() for make in list(scan(path).rows)]
    assert [(r.row, r.smiles, r.columns, r.status) for r in made] == [
        (r.row, r.smiles, r.columns, r.status) for r in read(path)
    ]


def test_a_row_that_is_not_wanted_costs_no_chemistry(tmp_path, monkeypatch) -> None:
    calls = []
    monkeypatch.setattr(record, "from_smiles", lambda text: calls.append(text) or from_smiles(text))
    path = tmp_path / "a.csv"
    path.write_text("smiles\nCCO\nC(\n")
    rows = [make() for make in scan(path).rows]
    assert [row.status for row in rows] == ["ok", "ok"] and not calls
    assert [row.status for row in read(path)] == ["ok", "unparsable"] and calls == ["CCO", "C("]


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_the_share_that_has_been_read_rises_to_one_where_the_rows_are_not_known(tmp_path, suffix) -> None:
    path = tmp_path / f"a{suffix}"
    write(path, [(None, {"smiles": "O", "note": f"{i**7}"}) for i in range(8_000)])
    found = scan(path)
    shares = [found.share() for _ in found.rows]
    assert found.total is None and shares == sorted(shares)
    assert 0 < shares[0] < 0.5 and shares[-1] == found.share() == 1.0
    write(tmp_path / "a.parquet", [(None, {"smiles": "O"})] * 7)
    assert scan(tmp_path / "a.parquet").total == 7


def damaged(whole: bytes, rng: np.random.Generator) -> bytes:
    """Bytes changed, cut out, repeated or put in; or the end cut off."""
    data = bytearray(whole)
    for _ in range(rng.integers(1, 6)):
        start, length = int(rng.integers(len(data))), int(rng.integers(1, 40))
        piece = [bytes(rng.integers(0, 256, length, dtype=np.uint8)), b"", bytes(data[start : start + length]) * 2]
        data[start : start + length] = piece[rng.integers(3)]
    return bytes(data[: rng.integers(1, len(data))]) if rng.random() < 0.2 else bytes(data)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".sdf", ".sdf.gz", ".xyz", ".extxyz", ".parquet"])
def test_damaged_files_are_answered_or_refused(suffix: str, tmp_path) -> None:
    """No reader crashes, and none makes up a molecule."""
    path, rng = tmp_path / f"whole{suffix}", np.random.default_rng(0)
    write(path, tiny.geometries()[:8])
    packed = suffix.endswith(".gz")
    whole = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
    assert len(list(read(path))) == 8
    for _ in range(40):
        content = damaged(whole, rng)
        path.write_bytes(gzip.compress(content) if packed else content)
        try:
            records = list(read(path))
        except MolscoreError as error:
            assert str(error)
            continue
        for found in records:
            assert found.ok or found.status
            if found.molecule is not None:
                assert np.isfinite(found.molecule.positions).all()


@pytest.mark.parametrize("suffix", [".parquet", ".xyz", "frame"])
def test_a_smiles_string_of_another_molecule_gives_way_to_the_geometry(tmp_path, suffix) -> None:
    """Other atoms, an isomer, a tautomer and what is no molecule at all are renamed; what the geometry may be stays."""
    acetate = embed("COC(C)=O")[0]
    stretched = replace(acetate, positions=1.6 * acetate.positions)  # no bonds can be read of it
    said = ["COC(C)=O", "O=C(C)O[CH3:1]", "CCO", "CCC(=O)O", "C=C(O)OC", "C(", None]
    molecules = [acetate] * len(said) + [stretched, stretched]
    said += ["CCC(=O)O", "CCO"]
    rows = [(m, {} if s is None else {"smiles": s}) for m, s in zip(molecules, said, strict=True)]
    path = tmp_path / f"a{suffix}"
    if suffix == "frame":
        held = {"numbers": [m.numbers for m in molecules], "positions": [m.positions for m in molecules]}
        found = list(records_of(pd.DataFrame({"smiles": said, **held})))
    else:
        write(path, rows)
        found = list(read(path))
    assert [row.status for row in found] == ["ok"] * len(said)
    renamed = [row.columns.get("input_smiles") for row in found]
    assert renamed == [None, None, "CCO", "CCC(=O)O", "C=C(O)OC", "C(", None, None, "CCO"]
    assert [row.smiles for row in found] == [*said[:2], *["COC(C)=O"] * 4, None, "CCC(=O)O", None]
    assert [text_of(row.columns.get("smiles")) for row in found] == [row.smiles or "" for row in found]
