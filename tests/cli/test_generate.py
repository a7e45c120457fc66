"""`molscore generate`: the same seed gives the same bytes; what is written has passed, in order, with its numbers."""

import csv
import hashlib
from pathlib import Path

import pytest

from molscore.molecules.files import read
from molscore.screening.criteria import DRAWN
from tests import tiny

SUFFIXES = (".sdf", ".csv", ".parquet", ".xyz", ".smi")


def bytes_of(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_seed_gives_the_same_bytes(run, folder, tmp_path, suffix) -> None:
    for name, seed in (("one", 3), ("two", 3), ("other", 4)):
        (tmp_path / name).mkdir()
        output = tmp_path / name / f"out{suffix}"
        done = run("generate", "-n", 6, "--steps", 3, "--seed", seed, "--all", "--model", folder, "-o", output)
        assert done.exit_code == 0, done.output
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")
    assert bytes_of(tmp_path / "one") != bytes_of(tmp_path / "other")


def test_the_name_of_the_output_leaves_its_bytes_alone(run, folder, tmp_path) -> None:
    for name in ("a.sdf", "b.sdf"):
        assert run("generate", "-n", 4, "--steps", 2, "--all", "--model", folder, "-o", name).exit_code == 0
    assert (tmp_path / "a.sdf").read_bytes() == (tmp_path / "b.sdf").read_bytes()


@pytest.mark.usefixtures("likely")
def test_what_is_written_has_passed_and_is_ranked(run, folder, tmp_path) -> None:
    done = run("generate", "-n", 40, "--model", folder, "-o", "out.csv")
    assert done.exit_code == 0
    rows = list(csv.DictReader((tmp_path / "out.csv").open()))
    assert 0 < len(rows) <= len(tiny.LIBRARY)
    assert {row["verdict"] for row in rows} == {"passed"}
    assert {row["valid"] + row["connected"] + row["unique"] for row in rows} == {"TrueTrueTrue"}
    standings = [float(row[DRAWN]) for row in rows]
    assert standings == sorted(standings, reverse=True)
    assert {row["resolution"] for row in rows} == {"0.05"}
    assert "40 drawn" in done.stderr


@pytest.mark.usefixtures("likely")
@pytest.mark.parametrize("keep", [0.65, 0.3, 1.0])
def test_keep_keeps_that_share_of_what_passes(run, folder, tmp_path, keep) -> None:
    for name, share in (("all", 1.0), ("kept", keep)):
        done = run("generate", "-n", 60, "--keep", share, "--model", folder, "-o", f"{name}.csv")
        assert done.exit_code == 0
    everything = list(csv.DictReader((tmp_path / "all.csv").open()))
    kept = list(csv.DictReader((tmp_path / "kept.csv").open()))
    assert abs(len(kept) - keep * len(everything)) <= 0.5
    assert [row["name"] for row in kept] == [row["name"] for row in everything[: len(kept)]]


@pytest.mark.usefixtures("likely")
def test_a_verdict_names_check_value_and_threshold(run, folder, tmp_path) -> None:
    options = ["--keep", 0.5, "--novel", "--all", "--model", folder]
    done = run("generate", "-n", 60, *options, "-o", "out.csv")
    assert done.exit_code == 0
    rows = list(csv.DictReader((tmp_path / "out.csv").open()))
    assert len(rows) == 60
    verdicts = {row["verdict"].split(":")[0]: row["verdict"] for row in rows}
    assert set(verdicts) == {"passed", "novel", "unique", DRAWN}
    dropped = [row for row in rows if row["verdict"].startswith(DRAWN)]
    threshold = min(float(row[DRAWN]) for row in rows if row["verdict"] == "passed")
    for row in dropped:
        assert row["verdict"] == f"{DRAWN}: {float(row[DRAWN])} (at least {threshold:.5f}, to keep 0.5)"
        assert float(row[DRAWN]) <= threshold
    known = {row["smiles"] for row in rows if row["novel"] == "False"}
    assert known and not known & {row["smiles"] for row in rows if row["verdict"] == "passed"}


@pytest.mark.usefixtures("likely")
def test_an_sdf_carries_the_same_names_and_where_it_comes_from(run, folder, tmp_path) -> None:
    assert run("generate", "-n", 20, "--seed", 5, "--model", folder, "-o", "out.sdf").exit_code == 0
    record = next(read(tmp_path / "out.sdf"))
    assert record.ok and record.molecule is not None
    for name in ("smiles", "formula", "n_atoms", "log_likelihood", "log_density", "percentile", "novel", "verdict"):
        assert record.columns[name]
    assert record.columns["molscore_model"] == "tiny"
    assert record.columns["molscore_seed"] == "5"
    assert record.columns["molscore_weights"].startswith("sha256:")
    assert record.columns["molscore_command"].startswith("molscore generate -n 20 ")


def test_a_formula_is_kept_to(run, folder, tmp_path) -> None:
    options = ["--steps", 2, "--all", "--model", folder, "-o", "out.csv"]
    assert run("generate", "-n", 3, "--formula", "C2H6O", *options).exit_code == 0
    assert {row["formula"] for row in csv.DictReader((tmp_path / "out.csv").open())} == {"C2H6O"}
    assert run("generate", "-n", 5, "--n-atoms", 9, *options).exit_code == 0
    assert {row["n_atoms"] for row in csv.DictReader((tmp_path / "out.csv").open())} == {"9"}


@pytest.mark.usefixtures("likely")
def test_a_pattern_chooses_and_several_outputs_hold_the_same(run, folder, tmp_path) -> None:
    outputs = ("-o", "a.csv", "-o", "a.sdf", "-o", "a.html", "-o", "a.png")
    done = run("generate", "-n", 20, "--smarts", "[#8]", "--model", folder, *outputs)
    assert done.exit_code == 0, done.stderr
    rows = list(csv.DictReader((tmp_path / "a.csv").open()))
    assert rows and all("O" in row["formula"] and len(row["inchikey"]) == 27 for row in rows)
    assert [record.columns["smiles"] for record in read(tmp_path / "a.sdf")] == [row["smiles"] for row in rows]
    assert "<!DOCTYPE html>" in (tmp_path / "a.html").read_text() and (tmp_path / "a.png").exists()
    assert run("generate", "-n", 2, "--smarts", "[", "--model", folder, "-o", "b.sdf").exit_code == 2
