"""CSV tables and lines of SMILES, good and bad."""

import csv
import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from molscore.errors import InputError
from molscore.molecules.convert import records_of
from molscore.molecules.files import read, write
from molscore.molecules.files.record import checked, smiles_column
from molscore.molecules.files.text import Lines, scan_csv, scan_smiles, unique_names

CELL = st.text(st.characters(codec="utf-8"), max_size=15)


def rows_of(text: str) -> list:
    return [checked(make()) for make in scan_csv(Lines(io.StringIO(text, newline="")), None, "table")]


@pytest.mark.parametrize("name", ["smiles", "SMILES", "Smiles ", "canonical_smiles", "Isomeric SMILES", "smi"])
def test_the_column_is_found_by_name(name) -> None:
    assert smiles_column(["id", name.strip()], None, "t") == name.strip()


def test_the_column_asked_for_wins_and_its_case_is_forgiven() -> None:
    names = ["smiles", "Product"]
    assert smiles_column(names, "Product", "t") == smiles_column(names, "product", "t") == "Product"
    with pytest.raises(InputError, match="t: no column 'educt'; its columns are smiles, Product"):
        smiles_column(names, "educt", "t")
    with pytest.raises(InputError, match="no column 'A'"):
        smiles_column(["a", "a"], "A", "t")


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("id,Molecule\n1,CCO\n2,CC\n", "Molecule"),
        ("Structure (SMILES);name\nCCO;ethanol\nC(;bad\nCC;ethane\n", "Structure (SMILES)"),
        ("X\tn\nCCO\t7\n", "X"),
        ("Molecule,smiles\nCCO,CC\n", "smiles"),  # a name that says so comes first
    ],
)
def test_without_a_usual_name_the_values_tell(records, tmp_path, text, column) -> None:
    rows = records("a.csv", text)
    assert [row.smiles for row in rows] == [row.columns[column] for row in rows]
    frame = pd.DataFrame([row.columns for row in rows])
    frame.to_parquet(tmp_path / "a.parquet")
    for found in (read(tmp_path / "a.parquet"), records_of(frame)):
        assert [row.smiles for row in found] == [row.smiles for row in rows]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("id,name\n1,water\n", "no column of SMILES found; say which is meant with -s .*; its columns are id, name"),
        ("a;b\nCC;CO\nCO;CC\n", "SMILES in 2 columns, a, b; say which is meant with -s .in Python smiles_column."),
        ("id,a\n1,CC\n2,x\n", "no column of SMILES found"),  # no more than half
        ("C\nCC\nCCC\n", "no column of SMILES found"),  # the first of them is methane, no name
        ("id,a\n", "no column of SMILES found"),
    ],
)  # fmt: skip
def test_a_table_that_does_not_say_its_column_is_no_guess(records, text, problem) -> None:
    with pytest.raises(InputError, match=problem):
        records("a.csv", text)


@pytest.mark.parametrize(
    ("text", "smiles", "notes"),
    [
        *((f"smiles{mark}note\nCCO{mark}1\n", ["CCO"], ["1"]) for mark in ",;\t"),
        ("\ufeffsmiles,note\r\nCCO,1\r\n", ["CCO"], ["1"]),  # a byte order mark
        ('smiles,note\nCCO,"two\nlines, one ""cell"""\nO,x\n', ["CCO", "O"], ['two\nlines, one "cell"', "x"]),
        (b"smiles,note\nCCO,caf\xe9\nO,\x80 \xc3\xa9\n", ["CCO", "O"], ["café", "€ é"]),  # Windows-1252
        ("smiles,note\n", [], []),
    ],
)
def test_tables_as_programs_write_them(records, text, smiles, notes) -> None:
    rows = records("a.csv", text)
    assert ([row.smiles for row in rows], [row.columns["note"] for row in rows]) == (smiles, notes)
    assert all(row.ok and list(row.columns) == ["smiles", "note"] for row in rows)


def test_headers_are_made_unique() -> None:
    assert unique_names(["a", "a", "", " b ", "a", "a.1"]) == ["a", "a.1", "column_2", "b", "a.2", "a.1.1"]


def test_bad_rows_keep_their_place(records) -> None:
    text = b"smiles,id\nCCO,0\n,1\nC(,2\nCCO\nCCO,4,extra\n\xff\xfe,5\n\nc1ccccc1,6\n"
    rows = records("a.csv", text)
    assert [r.status for r in rows] == ["ok", *["unparsable"] * 5, "ok"]
    assert "empty" in rows[1].error
    assert "has 1 field, the header 2" in rows[3].error
    assert "3 fields, the header 2" in rows[4].error
    assert rows[2].columns == {"smiles": "C(", "id": "2"}


@pytest.mark.parametrize("after", [1, 10, 200])
def test_a_quote_that_never_closes_costs_one_row(records, after) -> None:
    rows = records("a.csv", 'smiles,note\nO,fine\nCCO,"oops\n' + "".join(f"C,{i}\n" for i in range(after)))
    assert [r.status for r in rows] == ["ok", "unparsable"] + ["ok"] * after
    assert "quote" in rows[1].error
    assert [r.columns["note"] for r in rows[2:]] == [str(i) for i in range(after)]


@pytest.mark.parametrize("cell", ["x" * 140_000, '"a ""b"",' + "x\n" * 10 + "y" * 200_000 + '"'])
def test_long_cells_pass_through(records, tmp_path, cell) -> None:
    rows = records("a.csv", f"smiles,note\nO,a\nCCO,{cell}\nC,b\n")
    assert [r.status for r in rows] == ["ok", "ok", "ok"]
    write(tmp_path / "b.csv", rows)
    assert [r.columns for r in read(tmp_path / "b.csv")] == [r.columns for r in rows]
    assert len(rows[1].columns["note"]) >= 140_000


@given(st.lists(st.tuples(CELL, CELL), max_size=6))
def test_any_table_that_the_csv_module_writes_is_read_row_for_row(cells) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerows([("smiles", "note"), *cells, ("CCO", "last")])
    rows = rows_of(text.getvalue())
    assert [(r.columns["smiles"], r.columns["note"]) for r in rows] == [*cells, ("CCO", "last")]
    assert rows[-1].ok


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters='"\r\n'), max_size=20), max_size=8))
def test_garbage_costs_no_good_row(garbage) -> None:
    lines = [part for i, line in enumerate(garbage) for part in (line, f"CCO,{i}")]
    rows = rows_of("smiles,id\n" + "".join(f"{line}\n" for line in lines))
    assert len(rows) == sum(bool(line.strip()) for line in lines)
    good = [r.columns["id"] for r in rows if r.ok and r.smiles == "CCO"]
    assert set(good) >= {str(i) for i in range(len(garbage))}


@given(st.text(max_size=200), st.text(max_size=40))
def test_any_text_is_a_table_or_an_input_error(text, header) -> None:
    for content in (text, f"smiles,{header}\n{text}"):
        try:
            rows = rows_of(content) if content.strip() else []
        except InputError:
            continue
        assert [r.row for r in rows] == list(range(len(rows)))


def test_lines_are_smiles_and_names(records) -> None:
    rows = records("a.smi", "SMILES Name\nCCO ethanol\nc1ccccc1\tbenzene ring\n\nC(\nO\nCCO |$a;b;c$| ethanol\n")
    assert [(r.row, r.smiles, r.columns["name"], r.status) for r in rows] == [
        (0, "CCO", "ethanol", "ok"),
        (1, "c1ccccc1", "benzene ring", "ok"),
        (2, "C(", "", "unparsable"),
        (3, "O", "", "ok"),
        (4, "CCO |$a;b;c$|", "ethanol", "ok"),
    ]
    assert rows[2].molecule is None and "'C('" in rows[2].error and not rows[2].ok


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20), max_size=8))
def test_every_line_that_is_not_blank_is_a_row(garbage) -> None:
    lines = ["O first", *garbage, "CCO last"]
    rows = [checked(make()) for make in scan_smiles(Lines(f"{line}\n" for line in lines))]
    assert [r.row for r in rows] == list(range(sum(bool(line.strip()) for line in lines)))
    assert (rows[0].smiles, rows[0].ok, rows[-1].smiles, rows[-1].ok) == ("O", True, "CCO", True)
