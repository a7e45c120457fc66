"""XYZ frames, good and bad."""

import io
import re

import ase.io
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from molscore.molecules import Molecule
from molscore.molecules.files.record import Row
from molscore.molecules.files.text import Lines
from molscore.molecules.files.xyz import scan_xyz, xyz_frame

WATER = "3\nwater\nO 0 0 0.1\nH 0.76 0 -0.48\nH -0.76 0 -0.48\n"


def rows_of(text: str) -> list:
    return [make() for make in scan_xyz(Lines(io.StringIO(text, newline="")))]


def test_plain_frames(records) -> None:
    rows = records("a.xyz", WATER + "\n" + WATER.replace("water", ""))
    assert [(r.row, r.molecule.formula, r.molecule.name, r.smiles) for r in rows] == [
        (0, "H2O", "water", None),
        (1, "H2O", "", None),
    ]
    assert rows[0].molecule.positions[1].tolist() == [0.76, 0.0, -0.48]


def test_extended_comments_are_columns(records) -> None:
    comment = 'Properties=id:I:1:pos:R:3:species:S:1 name="heavy water" energy=-76.4 Lattice="9 0 0 0 9 0 0 0 9"'
    (row,) = records("a.extxyz", f"2\n{comment}\n1 0 0 0 O\n2 0 0 1 H\n")
    assert row.columns == {"name": "heavy water", "energy": "-76.4"}
    assert (row.molecule.name, row.molecule.symbols) == ("heavy water", ["O", "H"])


@pytest.mark.parametrize(
    ("properties", "atoms"),
    [
        ("Z:I:1:pos:R:3", "8 0 0 0\n1 0 0 0.96\n1 0.93 0 -0.24\n"),
        ("pos:R:3:Z:I:1", "0 0 0 8\n0 0 0.96 1\n0.93 0 -0.24 1\n"),
        ("forces:R:3:numbers:I:1:pos:R:3", "9 9 9 8 0 0 0\n9 9 9 1 0 0 0.96\n9 9 9 1 0.93 0 -0.24\n"),
        ("id:I:1:element:S:1:positions:R:3", "1 O 0 0 0\n2 H 0 0 0.96\n3 D 0.93 0 -0.24\n"),
    ],
)
def test_elements_stand_in_any_column_under_any_of_their_names(properties, atoms) -> None:
    (row,) = rows_of(f"3\nProperties={properties} energy=1\n{atoms}")
    assert row.molecule.symbols == ["O", "H", "H"]
    assert row.molecule.positions.tolist() == [[0, 0, 0], [0, 0, 0.96], [0.93, 0, -0.24]]
    (control,) = rows_of(f"3\nProperties=forces:R:3:velocities:R:3 energy=1\n{atoms}")
    assert control.status == "unparsable"


QM9 = """5
gdb 1\t157.7118\t157.70997\t157.70699\t0.\t13.21\t-0.3877
C\t-0.0126981359\t 1.0858041578\t 0.0080009958\t-0.535689
H\t 0.002150416\t-0.0060313176\t 0.0019761204\t 0.133921
H\t 1.0117308433\t 1.4637511618\t 0.0002765748\t 0.133922
H\t-0.540815069\t 1.4475266138\t-0.8766437152\t 0.133923
H\t-0.5238136345\t 1.4379326443\t 9.063972942*^-1\t 0.133923
1341.307\t1341.3284\t1341.365\t1562.6731\t3151.7078
C\tC\t
InChI=1S/CH4/h1H4\tInChI=1S/CH4/h1H4
"""


def test_a_raw_file_of_qm9_is_one_row() -> None:
    for n in (1, 3):
        rows = rows_of(QM9 * n)
        assert [(r.status, r.smiles, r.molecule.name, r.molecule.formula) for r in rows] == [
            ("ok", "C", "gdb_1", "CH4")
        ] * n
        assert rows[0].columns["properties"] == "157.7118 157.70997 157.70699 0. 13.21 -0.3877"


@pytest.mark.parametrize("separator", [">\n", "\n\n", "----\n", ">\n\n", "&\n"])
def test_lines_between_frames_are_no_rows(separator) -> None:
    rows = rows_of(WATER + separator + WATER + separator)
    assert [r.status for r in rows] == ["ok", "ok"]


@pytest.mark.parametrize("symbol", ["C", "c", "6", "C12"])
@pytest.mark.parametrize("number", ["1.2D-01", "0.12d0", "1.2E-1", "1.2*^-1", "+.12"])
def test_carbon_and_numbers_as_fortran_and_mathematica_spell_them(symbol, number) -> None:
    (row,) = rows_of(f"1\n\n{symbol} {number} 0 0\n")
    assert (row.molecule.symbols, row.molecule.positions[0, 0]) == (["C"], pytest.approx(0.12))


def test_charge_and_multiplicity_are_those_of_the_comment() -> None:
    for comment, expected in {
        "charge=-2": (-2, 0),
        "total_charge=1 multiplicity=2": (1, 1),
        "spin=3": (0, 2),
        "spin=2": (0, 2),
        "spin=1": (0, 0),
        "charge=0.3": (0, 0),
        'charge="-0.8 0.4 0.4"': (0, 0),
    }.items():
        (row,) = rows_of(WATER.replace("water", comment))
        assert (row.molecule.charge, row.molecule.unpaired) == expected, comment


def test_a_box_that_is_none_costs_its_row_alone() -> None:
    rows = rows_of("".join(WATER.replace("water", f'Lattice="{cell}"') for cell in ("9 0 0", "9 0 0 0 9 0 0 0 9")))
    assert [r.status for r in rows] == ["unparsable", "ok"]


@pytest.mark.parametrize(
    ("frame", "status", "error"),
    [
        (WATER.replace("3\n", "4\n", 1), "unparsable", "says 4 atoms, only 3 follow"),
        (WATER.replace("3\n", "2\n", 1), "unparsable", "says 2 atoms, more follow"),
        (WATER.replace("0.1", "nan"), "bad_positions", "not finite"),
        (WATER.replace("0.1", "inf"), "bad_positions", "not finite"),
        (WATER.replace("0.1", "zero"), "unparsable", "only 0 follow"),
        (WATER.replace("O 0", "Qq 0"), "unknown_element", "'Qq'"),
        (WATER.replace("O 0", "999 0"), "unknown_element", "999"),
        (WATER.replace("O 0", "² 0"), "unparsable", "only 0 follow"),
        ("0\n\n", "too_small", "no atoms"),
        ("-3\nx\n", "unparsable", "no atom count"),
        ("gibberish\n", "unparsable", "no atom count"),
        ("99999999\nhuge\n", "unparsable", "only 0 follow"),
    ],
)
def test_a_bad_frame_costs_itself_alone(frame, status, error) -> None:
    rows = rows_of(WATER + frame + WATER)
    assert [r.status for r in rows] == ["ok", status, "ok"]
    assert error in rows[1].error
    assert [r.status for r in rows_of(WATER + frame)] == ["ok", status], "at the end of a file"


@given(st.text(max_size=150), st.integers(0, 5))
def test_any_text_costs_no_frame_before_it(text, n_frames) -> None:
    rows = rows_of(WATER * n_frames + "end\n" + text)
    assert [r.row for r in rows] == list(range(len(rows)))
    assert [r.ok for r in rows[:n_frames]] == [True] * n_frames
    assert not rows[n_frames].ok


@given(
    hnp.arrays(np.float64, (3, 3), elements=st.floats(-1e3, 1e3)),
    st.dictionaries(st.text("abcZ019_.-Å", min_size=1, max_size=6), st.integers() | st.text(max_size=9), max_size=3),
)
def test_frames_read_back(positions, columns) -> None:
    text = xyz_frame(Row(Molecule([8, 1, 1], positions, "a name"), columns), {"molscore_seed": 3})
    (row,) = rows_of(text)
    np.testing.assert_allclose(row.molecule.positions, positions, atol=5.1e-9)
    spelled = {re.sub("^[.-]", "_", k): " ".join(str(v).replace('"', "'").splitlines()) for k, v in columns.items()}
    filled = {k: v for k, v in spelled.items() if v.strip()}
    assert row.columns == {"name": "a name"} | filled | {"molscore_seed": "3"}


def test_ase_reads_our_frames(library, tmp_path) -> None:
    path = tmp_path / "a.xyz"
    molecule = library["CCO"]
    columns = {"note": 'say "hi" = x', "error": "", "energy": 1.5, "percentile": None, "smiles": "C/C=C\\C"}
    path.write_text(xyz_frame(Row(molecule, {**columns, "pbc": "a column"}), {"molscore_model": "tiny"}))
    atoms = ase.io.read(path, format="extxyz")
    assert atoms.numbers.tolist() == molecule.numbers.tolist()
    np.testing.assert_allclose(atoms.positions, molecule.positions, atol=1e-8)
    expected = {"note": "say 'hi' = x", "smiles": "C/C=C\\C", "pbc_": "a column", "molscore_model": "tiny"}
    assert atoms.info == expected and atoms.calc.results == {"energy": 1.5}


def test_a_frame_without_atoms_is_what_its_smiles_says() -> None:
    (row,) = rows_of(xyz_frame(Row(None, {"smiles": "CCO", "status": "no_conformer"}), {}))
    assert (row.status, row.smiles, row.columns) == ("ok", "CCO", {"smiles": "CCO", "status": "no_conformer"})


def test_quotes_that_ase_escapes_are_read(tmp_path) -> None:
    atoms = ase.Atoms("CO", [[0, 0, 0], [1.2, 0, 0]], info={"note": 'say "hi"', "path": "C/C=C\\C", "last": "x"})
    ase.io.write(tmp_path / "a.xyz", atoms, format="extxyz")
    (row,) = rows_of((tmp_path / "a.xyz").read_text())
    assert {name: row.columns[name] for name in atoms.info} == atoms.info


def test_a_comment_that_is_a_smiles_string_is_a_name(records) -> None:
    for comment, columns in {
        "C=O": {"name": "C=O"},
        "CN=S(C)C": {"name": "CN=S(C)C"},
        "energy=-76.4": {"energy": "-76.4"},
    }.items():
        (row,) = records("a.xyz", f"3\n{comment}\nO 0 0 0\nH 0 0 1\nH 0 0.9 -0.3\n")
        assert row.columns == columns
