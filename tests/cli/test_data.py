"""`molscore data` makes what `molscore train` takes."""

from molscore.datasets.molecule_set import load
from molscore.molecules.files import write
from tests import tiny


def test_a_library_becomes_a_data_set_with_splits(run, tmp_path) -> None:
    write(tmp_path / "own.sdf", tiny.geometries())
    done = run("data", "own.sdf", "--workers", 1, "--seed", 3, "--split", "scaffold")
    assert done.exit_code == 0, done.output
    made = load("data/own.parquet")
    assert len(made) == len(tiny.LIBRARY) and set(made.columns["split"]) == {"train", "valid", "test"}
    assert "27 molecules" in done.stderr and "train" in done.stderr and not done.stdout
    assert "left out" not in done.stderr
    again = run("data", "data/own.parquet")
    assert again.exit_code == 2 and "is the library itself" in again.stderr


def test_what_cannot_be_read_is_one_line(run) -> None:
    done = run("data", "none.sdf")
    assert done.exit_code == 2 and done.stderr.count("\n") == 1 and "none.sdf" in done.stderr
    assert "is a .parquet file" in run("data", "qm9", "-o", "qm9.sdf").stderr
