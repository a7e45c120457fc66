"""`molscore generate`: the same seed gives the same bytes; what is written has passed, in order, with its numbers."""

import re

import pytest

from molscore.molecules.files import read
from molscore.screening.columns import DRAWN
from tests import tiny
from tests.cli.conftest import table

SUFFIXES = (".sdf", ".csv", ".parquet", ".xyz", ".smi")


@pytest.mark.usefixtures("impatient")
def test_the_same_seed_gives_the_same_bytes_in_every_format_wherever_they_go(run, folder, tmp_path) -> None:
    for name, seed in (("one", 3), ("two", 3), ("other", 4)):
        (tmp_path / name).mkdir()
        outputs = [word for suffix in SUFFIXES for word in ("-o", f"{name}/out{suffix}")]
        done = run("generate", "-n", 1, "--steps", 3, "--seed", seed, "--all", "--model", folder, *outputs)
        assert done.exit_code in (0, 1), done.output
    one, two, other = ({p.name: p.read_bytes() for p in (tmp_path / n).iterdir()} for n in ("one", "two", "other"))
    assert one == two and len(one) >= len(SUFFIXES)
    assert all(other[f"out{suffix}"] != one[f"out{suffix}"] for suffix in SUFFIXES)


@pytest.mark.usefixtures("likely")
def test_n_molecules_that_passed_are_written_in_order_and_an_sdf_says_where_they_come_from(
    run, folder, tmp_path
) -> None:
    done = run("generate", "-n", 12, "--seed", 5, "--model", folder, "-o", "out.csv", "-o", "out.sdf")
    assert done.exit_code == 0
    rows = table("out.csv")
    assert len(rows) == 12 == len({row["smiles"] for row in rows})
    assert {row["verdict"] for row in rows} == {"passed"}
    assert {row["valid"] + row["connected"] + row["unique"] for row in rows} == {"TrueTrueTrue"}
    standings = [float(row["percentile"]) for row in rows]
    assert standings == sorted(standings, reverse=True) and min(standings) >= 1
    assert {row["resolution"] for row in rows} == {"0.05"}
    assert re.search(r" drawn, (12 passed|1[3-9] passed, 12 asked for), ", done.stderr), done.stderr
    record = next(read(tmp_path / "out.sdf"))
    assert record.ok and record.molecule is not None
    for name in ("smiles", "formula", "n_atoms", "log_likelihood", "log_density", "percentile", "novel", "verdict"):
        assert record.columns[name] == rows[0][name]
    assert record.columns["molscore_model"] == "tiny" and record.columns["molscore_seed"] == "5"
    assert record.columns["molscore_weights"].startswith("sha256:")
    assert record.columns["molscore_command"].startswith("molscore generate -n 12 ")
    assert "None" not in record.columns["molscore_command"]  # options that were not given


@pytest.mark.usefixtures("likely")
def test_fewer_than_were_asked_for_is_no_success(run, folder, tmp_path) -> None:
    done = run("generate", "-n", 60, "--model", folder, "-o", "out.csv")
    assert done.exit_code == 1
    found = len(table("out.csv"))
    assert 0 < found <= len(tiny.LIBRARY)
    assert f"given up {60 - found} short of 60" in done.stderr


@pytest.mark.usefixtures("likely")
def test_a_verdict_names_check_value_and_threshold(run, folder, tmp_path) -> None:
    options = ["--keep", 0.5, "--min-percentile", 20, "--novel", "--all", "--model", folder]
    run("generate", "-n", 8, *options, "-o", "out.csv")
    rows = table("out.csv")
    verdicts = {row["verdict"].split(":")[0]: row["verdict"] for row in rows}
    assert {"passed", "novel", "unique", "percentile", DRAWN} <= set(verdicts)
    dropped = [row for row in rows if row["verdict"].startswith("percentile")]
    for row in dropped:
        assert row["verdict"] == f"percentile: {float(row['percentile'])} (at least 20)"
        assert float(row["percentile"]) < 20
    known = {row["smiles"] for row in rows if row["novel"] == "False"}
    assert known and not known & {row["smiles"] for row in rows if row["verdict"] == "passed"}


@pytest.mark.usefixtures("impatient")
def test_a_formula_is_kept_to(run, folder, tmp_path) -> None:
    options = ["--steps", 2, "--all", "--model", folder, "-o", "out.csv"]
    assert run("generate", "-n", 1, "--formula", "C2H6O", *options).exit_code in (0, 1)
    assert {row["formula"] for row in table("out.csv")} == {"C2H6O"}
    assert run("generate", "-n", 1, "--n-atoms", 9, *options).exit_code in (0, 1)
    assert {row["n_atoms"] for row in table("out.csv")} == {"9"}


@pytest.mark.usefixtures("likely")
def test_a_pattern_chooses_and_several_outputs_hold_the_same(run, folder, tmp_path) -> None:
    outputs = ("-o", "a.csv", "-o", "a.sdf", "-o", "a.html", "-o", "a.png")
    done = run("generate", "-n", 3, "--smarts", "[#8]", "--model", folder, *outputs)
    assert done.exit_code == 0, done.stderr
    rows = table("a.csv")
    assert rows and all("O" in row["formula"] and len(row["inchikey"]) == 27 for row in rows)
    assert [record.columns["smiles"] for record in read(tmp_path / "a.sdf")] == [row["smiles"] for row in rows]
    assert "<!DOCTYPE html>" in (tmp_path / "a.html").read_text() and (tmp_path / "a.png").exists()
    assert run("generate", "-n", 2, "--smarts", "[", "--model", folder, "-o", "b.sdf").exit_code == 2
