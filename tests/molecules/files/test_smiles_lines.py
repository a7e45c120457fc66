"""SMILES files."""

from hypothesis import given
from hypothesis import strategies as st

from molscore.molecules.files.record import checked
from molscore.molecules.files.source import Lines
from molscore.molecules.files.tables import scan_smiles

LINE = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20)


def test_smiles_and_names(records) -> None:
    rows = records("a.smi", "CCO ethanol\nc1ccccc1\tbenzene ring\n\nC(\nO")
    assert [(r.row, r.smiles, r.columns["name"], r.status) for r in rows] == [
        (0, "CCO", "ethanol", "ok"),
        (1, "c1ccccc1", "benzene ring", "ok"),
        (2, "C(", "", "unparsable"),
        (3, "O", "", "ok"),
    ]
    assert rows[2].molecule is None
    assert "'C('" in rows[2].error
    assert not rows[2].ok


def test_a_header_is_no_row(records) -> None:
    assert [r.smiles for r in records("a.smi", "SMILES Name\nCCO ethanol\n")] == ["CCO"]


def test_cxsmiles_extensions_stay_with_the_smiles(records) -> None:
    (row,) = records("a.smi", "CCO |$a;b;c$| ethanol\n")
    assert (row.smiles, row.columns["name"], row.ok) == ("CCO |$a;b;c$|", "ethanol", True)


@given(st.lists(LINE, max_size=8))
def test_every_line_that_is_not_blank_is_a_row(garbage) -> None:
    lines = ["O first", *garbage, "CCO last"]
    rows = [checked(make()) for make in scan_smiles(Lines(f"{line}\n" for line in lines))]
    assert [r.row for r in rows] == list(range(sum(bool(line.strip()) for line in lines)))
    assert (rows[0].smiles, rows[0].ok, rows[-1].smiles, rows[-1].ok) == ("O", True, "CCO", True)
