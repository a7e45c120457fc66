"""`molscore rank` in parts, `merge` and `top`: what a user types and is told."""

from pathlib import Path

import pytest

from molscore.molecules.files import write
from tests import tiny
from tests.cli.conftest import assert_one_line, table


@pytest.fixture
def library(tmp_path) -> Path:
    """Rows with geometries, some twice, some without."""
    held = tiny.geometries()
    rows = [(held[i % 20], {"id": i}) for i in range(30)] + [(None, {"id": 30, "smiles": "C1CC"})]
    write(tmp_path / "library.parquet", rows)
    return tmp_path / "library.parquet"


@pytest.fixture
def small_parts(monkeypatch) -> None:
    """Parts of four rows, so that a small library has many."""
    from molscore.screening.rank.run import Job

    monkeypatch.setattr(Job.__init__, "__defaults__", (None, False, 4))


def test_shards_are_merged_and_the_best_taken(run, folder, library, tmp_path, small_parts) -> None:
    common = ("rank", library, "--model", folder)
    assert run(*common, "-o", "whole.csv").exit_code == 0
    assert run(*common, "-o", "ordered.csv", "--sort").exit_code == 0
    assert "15 rows" in run(*common, "--shard", "2/2", "-o", "parts/").stderr
    assert_one_line(run("merge", "parts", "-o", "merged.csv"), "4 of 8 parts", "shard 1/2")
    assert_one_line(run(*common, "--shard", "2/2", "-o", "parts/"), "--resume")
    assert run(*common, "--shard", "1/2", "-o", "parts/").exit_code == 0
    done = run("merge", "parts", "-o", "merged.csv")
    assert "31 rows, 20 judged" in done.stderr and "10 more of the same molecules" in done.stderr
    for name in ("", ".provenance.json"):
        assert Path(f"merged.csv{name}").read_bytes() == Path(f"whole.csv{name}").read_bytes()
    assert_one_line(run("merge", "parts", "--by", "lemon", "-o", "merged.csv"), "cannot be ordered by 'lemon'")
    assert run("merge", "parts", "--sort", "-o", "sorted.csv").exit_code == 0
    assert Path("sorted.csv").read_bytes() == Path("ordered.csv").read_bytes()
    assert run("top", "parts", "-n", 7, "-o", "best.csv").exit_code == 0
    ordered, best = table("ordered.csv"), table("best.csv")
    assert best == ordered[:7] and {row["status"] for row in best} == {"ok"}
    assert run("top", "parts", "-n", 5, "--by", "log_likelihood", "-o", "likely.parquet").exit_code == 0
    assert_one_line(run("top", "parts", "--by", "beauty"), "beauty", "percentile")
    assert_one_line(run("top", tmp_path), "manifest.json")
    assert_one_line(run("top", "best.csv"), "best.csv is a file", "-o FOLDER/", "--sort")
    assert run(*common, "--shard", "1/2", "-o", "parts/", "--resume").exit_code == 0
    assert_one_line(run(*common, "--shard", "1/2", "-o", "parts/", "--resume", "--seed", 1), "seed was 0 and is 1")


def test_options_that_do_not_go_together(run, folder, library) -> None:
    common = ("rank", library, "--model", folder)
    assert_one_line(run(*common, "--resume"), "standard output")
    assert_one_line(run(*common, "--shard", "1/2", "-o", "out.csv"), "folder")
    assert_one_line(run(*common, "--shard", "0/2", "-o", "out/"), "1 to n")
    assert_one_line(run(*common, "--sort", "-o", "out/"), "merge --sort")
    assert_one_line(run("rank", "-", "--model", folder, "--resume", "-o", "out.csv", input="CCO\n"), "standard input")
    assert [path.name for path in Path().iterdir()] == [library.name]
