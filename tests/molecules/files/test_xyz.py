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
from molscore.molecules.files.row import Row
from molscore.molecules.files.source import Lines
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


@pytest.mark.parametrize("symbol", ["C", "c", "6", "C12"])
def test_spellings_of_carbon(symbol) -> None:
    (row,) = rows_of(f"1\n\n{symbol} 0 0 0\n")
    assert row.molecule.symbols == ["C"]


def test_exponents_as_qm9_writes_them() -> None:
    (row,) = rows_of("1\n\nC 1.5 -2.0*^-3 0 0.1\n")
    assert row.molecule.positions.tolist() == [[1.5, -0.002, 0.0]]


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


def test_a_frame_cut_short_by_the_end(records) -> None:
    rows = records("a.xyz", WATER + WATER[:-20])
    assert [r.status for r in rows] == ["ok", "unparsable"]


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
    assert row.columns == {"name": "a name"} | spelled | {"molscore_seed": "3"}


def test_ase_reads_our_frames(library, tmp_path) -> None:
    path = tmp_path / "a.xyz"
    molecule = library["CCO"]
    path.write_text(xyz_frame(Row(molecule, {"note": 'say "hi" = x', "energy": 1.5}), {}))
    atoms = ase.io.read(path, format="extxyz")
    assert atoms.numbers.tolist() == molecule.numbers.tolist()
    np.testing.assert_allclose(atoms.positions, molecule.positions, atol=1e-8)
    assert atoms.info["note"] == "say 'hi' = x"
